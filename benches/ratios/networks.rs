//! The networks of the bench: the packaged ones on one thread, and a scout that is the SSD alone.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use image::RgbImage;
use vigie::frame::{FrameSize, Orientation};
use vigie::jpeg::Picture;
use vigie::vision::geometry::Rect;
use vigie::vision::{Detection, Detector as _, Error, Networks, View, runtime};

pub struct Both {
    pub packaged: Networks,
    pub ssd_alone: Networks,
}

pub fn open(repository: &Path, target: &Path) -> Result<Both, Error> {
    let models = repository.join("models");
    let packaged = Networks::open(&models, None, 1)?;
    packaged.check()?;
    let library = runtime::find(None, &models, &packaged.manifest().runtime.file)?;
    let other = with_ssd_alone(&models, target);
    let ssd_alone = Networks::open(&other, Some(&library), 1)?;
    Ok(Both { packaged, ssd_alone })
}

/// A models folder whose scout asks the SSD only.
fn with_ssd_alone(models: &Path, target: &Path) -> PathBuf {
    let folder = target.join("bench-models");
    fs::create_dir_all(&folder).expect("a folder");
    for name in ["onnx", "plates.onnx"] {
        let link = folder.join(name);
        // Left by the run before, perhaps of another checkout.
        let _ = fs::remove_file(&link);
        symlink(models.join(name), link).expect("a link");
    }
    let manifest = fs::read_to_string(models.join("manifest.toml")).expect("a manifest");
    let scout = manifest.find("[scout]").expect("a scout");
    let start = scout + manifest[scout..].find("\nnetworks").expect("its networks") + 1;
    let end = start + manifest[start..].find('\n').expect("a line");
    let changed = [&manifest[..start], "networks = [\"ssd\"]", &manifest[end..]].concat();
    fs::write(folder.join("manifest.toml"), changed).expect("written");
    folder
}

/// Runs every network once on a small picture.
pub fn run_all(networks: &mut Networks) -> Result<(), Error> {
    let mut picture = Picture::of_pixels(RgbImage::new(320, 240), Orientation::default());
    let small = picture.reduced().expect("decoded");
    let view = View {
        picture: &small,
        frame: FrameSize {
            width: 320,
            height: 240,
        },
    };
    let person = Rect::from([100.0, 60.0, 50.0, 120.0]);
    let vehicle = Detection {
        rect: person,
        score: 1.0,
    };
    networks.scout(view)?;
    networks.guard(&mut picture)?;
    networks.plates(&mut picture, &[vehicle])?;
    networks.silhouette(&mut picture, person)?;
    Ok(())
}
