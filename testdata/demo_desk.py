#!/usr/bin/env python3
"""Serves the demo's desk with one user of each role, until it is stopped.

    demo_desk.py PROGRAM DEMO_FOLDER [--port N]

Takes what `make demo` left in DEMO_FOLDER/to-the-desk, goes through the set-up pages as a browser would, and prints where
to go, with whose password, and the codes that the users' telephones would show. Standard library alone.
"""
import argparse
import base64
import hmac
import html
import http.cookiejar
import json
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import time
import urllib.parse
import urllib.request

PASSWORD = "une vigie au bord de la Seine"
SHEET = {
    "service": "Service de lutte contre les incivilités", "qualite": "Agent de collectivité habilité et assermenté",
    "formation": "2026-01-15", "hab_autorite": "Maire d'Exemple-sur-Seine", "hab_date": "2026-02-01",
    "hab_objet": "Infractions relatives à l'abandon de déchets", "serment_tribunal": "Tribunal judiciaire d'Exemple",
    "serment_date": "2026-02-20", "vis_autorite": "Préfet", "vis_reference": "arrêté n° 2026-0413",
    "vis_date": "2026-02-25",
}
PEOPLE = [("agent", "Amina Roche", "amina.roche"), ("chef", "Bruno Vidal", "bruno.vidal"), ("dpd", "Claire Morel", "claire.morel")]


def code_of(secret, step):
    """RFC 6238, SHA-1, six digits."""
    key = base64.b32decode(secret.replace(" ", "") + "=" * (-len(secret.replace(" ", "")) % 8))
    digest = hmac.digest(key, struct.pack(">Q", step), "sha1")
    at = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[at:at + 4])[0] & 0x7FFFFFFF) % 1_000_000:06}"


def step_now():
    return int(time.time()) // 30


class Visitor:
    """A browser's cookies and forms."""

    def __init__(self, base):
        self.base = base.rstrip("/")
        jar = http.cookiejar.CookieJar()
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
        self.page = ""
        self.at = ""

    def get(self, path):
        with self.opener.open(self.base + path) as answer:
            self.at, self.page = urllib.parse.urlsplit(answer.url).path, answer.read().decode()
        return self

    def hidden(self, name):
        found = re.search(rf'name="{name}" value="([^"]*)"', self.page)
        return html.unescape(found.group(1)) if found else ""

    def send(self, path, **fields):
        fields = {"csrf": self.hidden("csrf"), **fields}
        try:
            with self.opener.open(self.base + path, urllib.parse.urlencode(fields).encode()) as answer:
                self.at, self.page = urllib.parse.urlsplit(answer.url).path, answer.read().decode()
        except urllib.error.HTTPError as error:
            sys.exit(f"{path}: {error.code}: {text(error.read().decode())}")
        if 'class="erreurs"' in self.page:
            sys.exit(f"{path}: {text(self.page)}")
        return self

    def secret(self):
        return re.search(r"<code>([A-Z2-7 ]+)</code> \(code", self.page).group(1)


def text(page):
    found = re.search(r"<main.*</main>", page, re.S)
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", found.group(0) if found else page)))


def access(secret):
    return {"mot_de_passe": PASSWORD, "encore": PASSWORD, "code": code_of(secret, step_now())}


def sheet(number, basis):
    return {**SHEET, "numero": number, "vis_fondement": basis}


def basis_in(page):
    return re.search(r'<select id="vis_fondement".*?<option value="([a-z_-]+)"', page, re.S).group(1)


def set_up(base, set_up_code):
    """Admin and chef, in turn; their secrets."""
    v = Visitor(base).get("/mise-en-service").send("/mise-en-service", code=set_up_code)
    admin = v.secret()
    v.send("/mise-en-service/personne", nom="Dominique Petit", identifiant="dominique.petit", **access(admin))
    v.send("/mise-en-service/codes", copies="oui")
    chef = v.secret()
    v.send("/mise-en-service/personne", nom="Sylvie Garnier", identifiant="sylvie.garnier", **access(chef),
           **sheet("LCI-001", basis_in(v.page)))
    v.send("/mise-en-service/codes", copies="oui")
    v.send("/mise-en-service/fin", exact="oui", coffre="oui")
    return [("admin", "Dominique Petit", "dominique.petit", admin), ("chef", "Sylvie Garnier", "sylvie.garnier", chef)]


def log_in(base, login, secret):
    v = Visitor(base).get("/entree")
    # The code of the enrolment is not taken twice; the next one is taken a little early.
    v.send("/entree", identifiant=login, mot_de_passe=PASSWORD, code=code_of(secret, step_now() + 1))
    if v.at == "/avis":
        v.send("/avis", lu="oui")
    return v


HALF = r"moitié du code, affichée cette seule fois\s:\s([0-9A-Z-]+)"


def invite(chef, other, base, role, name, login, number):
    """A new account, made by the chef and confirmed by another, then taken by its owner; its secret."""
    chef.get("/comptes/nouveau").send("/comptes/nouveau", nom=name, identifiant=login, role=role)
    first = re.search(HALF, text(chef.page)).group(1)
    account = re.search(r"/comptes/([0-9a-f]{16})", chef.page).group(1)
    other.get(f"/comptes/{account}").send(f"/comptes/{account}/confirmer", version=other.hidden("version"))
    code = first + re.search(HALF, text(other.page)).group(1)
    if role in ("agent", "chef"):
        chef.get(f"/agents/{account}")
        chef.send(f"/agents/{account}", version=chef.hidden("version"), **sheet(number, basis_in(chef.page)))
    v = Visitor(base).get("/premiere-connexion").send("/premiere-connexion", identifiant=login, code=code)
    secret = v.secret()
    v.send("/acces", **access(secret)).send("/codes-de-secours", copies="oui")
    return secret


def prepare(folder, port):
    """A fresh copy of what the demo left for the desk, its recovery keys in a safe of their own."""
    source, work = folder / "to-the-desk", folder / "served"
    if not source.is_dir():
        sys.exit(f"{source} is not there: run `make demo` first")
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(source, work)
    safe = work / "safe"
    safe.mkdir(mode=0o700)
    for key in (work / "desk/keys").glob("recovery-*.key"):
        key.rename(safe / key.name)
    example = pathlib.Path(__file__).parent.parent.joinpath("docs/desk.example.toml").read_text()
    config = example.replace('listen = "127.0.0.1:8080"', f'listen = "127.0.0.1:{port}"')
    config = config.replace("sticks = []", f"sticks = [{json.dumps(str((work / 'stick').resolve()))}]")
    (work / "desk/desk.toml").write_text(config)
    return work / "desk"


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("program")
    arguments.add_argument("demo", type=pathlib.Path)
    arguments.add_argument("--port", type=int, default=8080)
    arguments = arguments.parse_args()
    desk = prepare(arguments.demo, arguments.port)
    served = subprocess.Popen([arguments.program, "desk", "serve", "--desk", str(desk), "--json"], stdout=subprocess.PIPE, text=True)
    try:
        told = json.loads(served.stdout.readline() or "{}")
        if "serving" not in told:
            sys.exit("the desk was not served")
        base = told["serving"]
        users = set_up(base, told["set_up_code"])
        admin, chef = (log_in(base, user[2], user[3]) for user in users)
        for at, (role, name, login) in enumerate(PEOPLE):
            maker, other = (admin, chef) if role == "dpd" else (chef, admin)
            users.append((role, name, login, invite(maker, other, base, role, name, login, f"LCI-{at + 2:03}")))
        for maker in (admin, chef):
            maker.send("/sortie")
        tell(base, users)
        while served.poll() is None:
            show_codes(users)
            time.sleep(30 - time.time() % 30 + 0.2)
    except KeyboardInterrupt:
        pass
    finally:
        served.terminate()
        served.wait()


def tell(base, users):
    print(f"\n\033[1mOpen {base}\033[0m   (stop with Ctrl-C; everything of this demo is in demo/served)\n")
    print(f"password of all: {PASSWORD}\n")
    for role, name, login, secret in users:
        print(f"  {role:6} {name:16} {login:16} {secret}")
    print("\nThe last column is what a telephone's application is given; the codes that it shows:", flush=True)


def show_codes(users):
    step = step_now()
    codes = "   ".join(f"{login} {code_of(secret, step)}" for _, _, login, secret in users)
    print(f"{time.strftime('%H:%M:%S')}   {codes}", flush=True)


main()
