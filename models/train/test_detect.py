"""python -m unittest test_detect: what the recipe of ../plates.md promises, on values worked out by hand."""
import unittest

import numpy as np

from detect import CROPS, crop_boxes, decode, fuse

WHOLE = (-np.inf, -np.inf, np.inf, np.inf)


def found(*plates):
    """(x0, y0, x1, y1, score) -> rows as a look gives them, the corners on the box's own."""
    return np.array([[x0, y0, x1, y1, score, x0, y0, x1, y0, x1, y1, x0, y1] for x0, y0, x1, y1, score in plates], float).reshape(-1, 13)


class Fuse(unittest.TestCase):
    def test_a_plate_that_every_look_sees_keeps_its_score(self):
        one = found((10, 10, 60, 20, 0.8))
        [plate] = fuse([(WHOLE, one), (WHOLE, one)], 0.1)
        np.testing.assert_allclose(plate, one[0])

    def test_a_look_that_could_see_it_and_does_not_takes_a_quarter_of_two(self):
        [plate] = fuse([(WHOLE, found((10, 10, 60, 20, 0.8))), (WHOLE, found())], 0.1)
        self.assertAlmostEqual(plate[4], 0.5 * 0.8 + 0.5 * 0.4)

    def test_a_look_that_does_not_hold_the_box_whole_has_no_say(self):
        [plate] = fuse([(WHOLE, found((10, 10, 60, 20, 0.8))), ((30, 0, 200, 200), found())], 0.1)
        self.assertAlmostEqual(plate[4], 0.8)

    def test_the_box_is_the_voters_mean_by_score_squared(self):
        [plate] = fuse([(WHOLE, found((0, 0, 100, 20, 0.8))), (WHOLE, found((4, 0, 104, 20, 0.4)))], 0.1)
        np.testing.assert_allclose(plate[:4], [0.8, 0, 100.8, 20])

    def test_corners_keep_their_place_in_the_box_that_moves(self):
        first = found((0, 0, 100, 20, 0.8))
        first[0, 5:13] = [10, 5, 100, 0, 90, 20, 0, 15]
        [plate] = fuse([(WHOLE, first), (WHOLE, found((4, 0, 104, 20, 0.4)))], 0.1)
        np.testing.assert_allclose(plate[5:13], [10.8, 5, 100.8, 0, 90.8, 20, 0.8, 15])

    def test_a_part_of_a_plate_is_used_up_and_does_not_vote(self):
        [plate] = fuse([(WHOLE, found((0, 0, 100, 20, 0.8), (0, 0, 30, 20, 0.7)))], 0.1)
        np.testing.assert_allclose(plate[:5], [0, 0, 100, 20, 0.8])

    def test_plates_apart_stay_apart_and_come_best_first(self):
        plates = fuse([(WHOLE, found((0, 0, 50, 10, 0.5), (200, 0, 250, 10, 0.9)))], 0.1)
        np.testing.assert_allclose(plates[:, 4], [0.9, 0.5])

    def test_the_order_is_that_of_the_fused_scores(self):
        seen_once, seen_twice = (0, 0, 50, 10, 0.8), (200, 0, 250, 10, 0.7)
        plates = fuse([(WHOLE, found(seen_once, seen_twice)), (WHOLE, found(seen_twice))], 0.1)
        np.testing.assert_allclose(plates[:, 4], [0.7, 0.6])

    def test_the_threshold_is_on_the_fused_score_and_belongs_to_what_is_kept(self):
        looks = [(WHOLE, found((0, 0, 50, 10, 0.5))), (WHOLE, found())]
        self.assertEqual(len(fuse(looks, 0.375)), 1)
        self.assertEqual(len(fuse(looks, 0.376)), 0)

    def test_nothing_found_is_no_plate(self):
        self.assertEqual(fuse([(WHOLE, found())], 0.1).shape, (0, 13))


class CropBoxes(unittest.TestCase):
    def test_a_far_vehicle_is_grown_by_the_share_and_cut_to_whole_pixels(self):
        self.assertEqual(crop_boxes([(100, 100, 201, 201, 0.9)], 1280, 720), [(92, 92, 208, 208)])

    def test_a_crop_ends_where_the_picture_does(self):
        self.assertEqual(crop_boxes([(0, 0, 100, 100, 0.9)], 1280, 720), [(0, 0, 107, 107)])

    def test_a_vehicle_that_fills_the_picture_gets_no_crop(self):
        self.assertEqual(crop_boxes([(0, 0, 1200, 700, 0.9)], 1280, 720), [])

    def test_one_vehicle_gets_one_crop(self):
        twice = [(100, 100, 200, 200, 0.9), (102, 100, 203, 200, 0.8)]
        self.assertEqual(len(crop_boxes(twice, 1280, 720)), 1)

    def test_a_vehicle_before_a_much_larger_one_keeps_its_crop(self):
        near = [(100, 100, 500, 500, 0.9), (120, 120, 220, 220, 0.8)]
        self.assertEqual(len(crop_boxes(near, 1280, 720)), 2)

    def test_doubtful_and_tiny_vehicles_get_none(self):
        self.assertEqual(crop_boxes([(100, 100, 200, 200, 0.19), (300, 100, 315, 200, 0.9)], 1280, 720), [])

    def test_the_best_are_kept_when_there_are_too_many(self):
        row = [(60 * i, 100, 60 * i + 40, 140, 0.3 + 0.01 * i) for i in range(CROPS + 3)]
        regions = crop_boxes(row, 1280, 720)
        self.assertEqual(len(regions), CROPS)
        self.assertEqual(regions[0][0], 60 * (CROPS + 2) - 3)


class Decode(unittest.TestCase):
    def setUp(self):
        self.heat = np.zeros((8, 8))
        self.ltrb, self.corners = np.full((4, 8, 8), 6.0), np.tile(np.array([0, 0, 1, 0, 1, 1, 0, 1.0])[:, None, None], (1, 8, 8))

    def test_a_peak_is_measured_from_its_cells_centre(self):
        self.heat[2, 3] = 0.5
        [plate] = decode(self.heat, self.ltrb, self.corners, 0.1)
        np.testing.assert_allclose(plate, [8, 4, 20, 16, 0.5, 8, 4, 20, 4, 20, 16, 8, 16])

    def test_a_lesser_neighbour_is_no_peak(self):
        self.heat[2, 3], self.heat[3, 4] = 0.5, 0.4
        self.assertEqual(len(decode(self.heat, self.ltrb, self.corners, 0.1)), 1)

    def test_the_picture_s_corner_can_be_a_peak(self):
        self.heat[0, 0] = 0.5
        self.assertEqual(len(decode(self.heat, self.ltrb, self.corners, 0.1)), 1)

    def test_the_floor_belongs_to_what_is_kept(self):
        self.heat[2, 3] = 0.1
        self.assertEqual(len(decode(self.heat, self.ltrb, self.corners, 0.1)), 1)


if __name__ == "__main__":
    unittest.main()
