"""Archives among the URIs of a command: unpacked into its sandbox, and nowhere else."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import stat
import tarfile
import zipfile
from pathlib import Path

from fetching import CONTENT, USER, FetcherTestCase, archive, entry


def zip_archive(*entries: tuple[str, bytes] | tuple[str, bytes, int]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content, *mode in entries:
            info = zipfile.ZipInfo(name)
            info.create_system = 3  # Unix, so that there is a mode
            info.external_attr = (mode[0] if mode else stat.S_IFREG | 0o644) << 16
            file.writestr(info, content)
    return buffer.getvalue()


class Archives(FetcherTestCase):
    GOOD = (entry("dir", tarfile.DIRTYPE, mode=0o555), ("dir/file", b"content"),
            entry("dir/link", tarfile.SYMTYPE, "file"), entry("hard", tarfile.LNKTYPE, "dir/file"),
            ("./dotted", b"dotted"), ("näme", b"utf-8"))
    TARS = {"tar": "", "tar.gz": "gz", "tgz": "gz", "tar.bz2": "bz2", "tbz2": "bz2",
            "tar.xz": "xz", "txz": "xz"}

    def test_tars(self) -> None:
        for suffix, pack in self.TARS.items():
            for user in (None, USER):
                with self.subTest(suffix=suffix, user=user):
                    sandbox = self.fetch(self.put(f"good.{suffix}", archive(pack, *self.GOOD)),
                                         user=user)
                    self.assertEqual(b"content", (sandbox / "dir/file").read_bytes())
                    self.assertEqual(0o555, (sandbox / "dir").stat().st_mode & 0o7777)
                    self.assertEqual("file", os.readlink(sandbox / "dir/link"))
                    self.assertTrue((sandbox / "hard").samefile(sandbox / "dir/file"))
                    self.assertEqual(b"dotted", (sandbox / "dotted").read_bytes())
                    self.assertEqual(b"utf-8", (sandbox / "näme").read_bytes())
                    self.assertTrue((sandbox / f"good.{suffix}").exists())

    def test_zip(self) -> None:
        sandbox = self.fetch(self.put("good.zip", zip_archive(
            ("dir/file", b"content"), ("run", b"#!/bin/sh\n", stat.S_IFREG | 0o755))),
            script="./run")
        self.assertEqual(b"content", (sandbox / "dir/file").read_bytes())

    def test_gzip(self) -> None:
        path = self.put("data.gz", gzip.compress(CONTENT))
        sandbox = self.fetch(path, {"value": path, "output_file": "sub/other.gz"})
        self.assertEqual(CONTENT, (sandbox / "data").read_bytes())
        self.assertEqual(CONTENT, (sandbox / "other").read_bytes())

    def test_not_to_be_extracted(self) -> None:
        path = self.put("good.tgz", archive("gz", *self.GOOD))
        sandbox = self.fetch({"value": path, "extract": False},
                             {"value": path, "executable": True, "output_file": "x.tgz"},
                             {"value": path, "output_file": "no-archive"})
        self.assertFalse((sandbox / "dir").exists())
        self.assertEqual(0o755, (sandbox / "x.tgz").stat().st_mode & 0o7777)

    def test_damaged(self) -> None:
        good = archive("gz", ("file", CONTENT))
        for name, content in (("none.tar", b"no archive"), ("cut.tgz", good[:-1000]),
                              ("none.gz", b"not gzip"), ("cut.gz", gzip.compress(CONTENT)[:-1000]),
                              ("cut.tar.bz2", bz2.compress(b"x" * 5000)[:-10]),
                              ("cut.txz", lzma.compress(CONTENT)[:-1000]),
                              ("none.zip", b"PK\3\4")):
            with self.subTest(name=name):
                self.assertIn(f"Failed to extract '{name}'", self.refuse(self.put(name, content)))

    def test_nothing_escapes(self) -> None:
        outside = self.source / "outside"
        outside.mkdir()
        (outside / "victim").write_text("untouched")
        absolute = str(outside / "new")
        depth = "../" * 12
        evil: dict[str, tuple[tarfile.TarInfo | tuple[str, bytes], ...]] = {
            "dots": ((f"{depth}{absolute[1:]}", b"x"),),
            "dots within": ((f"a/{depth}{absolute[1:]}", b"x"),),
            "absolute": ((absolute, b"x"),),
            "through a link": (entry("l", tarfile.SYMTYPE, str(outside)), ("l/new", b"x")),
            "through a relative link": (
                entry("l", tarfile.SYMTYPE, f"{depth}{str(outside)[1:]}"), ("l/new", b"x")),
            "through two links": (
                entry("a", tarfile.DIRTYPE, mode=0o755), entry("a/up", tarfile.SYMTYPE, ".."),
                entry("l", tarfile.SYMTYPE, f"a/up/{depth}{str(outside)[1:]}"), ("l/new", b"x")),
            "a directory through a link": (
                entry("l", tarfile.SYMTYPE, str(outside)),
                entry("l/new", tarfile.DIRTYPE, mode=0o755)),
            "a hard link": (entry("h", tarfile.LNKTYPE, str(outside / "victim")),),
            "a hard link with dots": (
                entry("h", tarfile.LNKTYPE, f"{depth}{str(outside / 'victim')[1:]}"),),
            "a hard link through a link": (
                entry("l", tarfile.SYMTYPE, str(outside)),
                entry("h", tarfile.LNKTYPE, "l/victim")),
            "a link below a link": (
                entry("l", tarfile.SYMTYPE, str(outside)),
                entry("l/new", tarfile.SYMTYPE, "/etc")),
            "a device": (entry("null", tarfile.CHRTYPE),),
            "a fifo": (entry("fifo", tarfile.FIFOTYPE),),
        }
        for user in (None, USER):
            for what, entries in evil.items():
                for suffix, pack in self.TARS.items():
                    if suffix != "tar" and (user is not None or what != "through a link"):
                        continue
                    with self.subTest(what=what, suffix=suffix, user=user):
                        path = self.put(f"evil.{suffix}", archive(pack, *entries))
                        self.assertIn("Failed to extract", self.refuse(path, user=user))
        for name in (f"{depth}{absolute[1:]}", absolute):
            with self.subTest(zip=name):
                self.assertIn("Failed to extract",
                              self.refuse(self.put("evil.zip", zip_archive((name, b"x")))))
        link = zip_archive(("l", str(outside).encode(), stat.S_IFLNK | 0o777), ("l/new", b"x"))
        self.assertIn("Failed to extract", self.refuse(self.put("evil.zip", link)))
        self.assertEqual(["victim"], [p.name for p in outside.iterdir()])
        self.assertEqual("untouched", (outside / "victim").read_text())
        self.assertEqual(1, (outside / "victim").stat().st_nlink)

    def test_a_link_is_replaced_not_followed(self) -> None:
        victim = Path(self.put("linked", b"untouched"))
        sandbox = self.fetch(self.put("replace.tar", archive(
            "", entry("file", tarfile.SYMTYPE, str(victim)), ("file", b"new"))))
        self.assertEqual(b"untouched", victim.read_bytes())
        self.assertEqual(b"new", (sandbox / "file").read_bytes())

    def test_links_that_stay_inside_are_followed(self) -> None:
        sandbox = self.fetch(self.put("inside.tar", archive(
            "", entry("usr/lib", tarfile.DIRTYPE, mode=0o755),
            entry("lib", tarfile.SYMTYPE, "usr/lib"), ("lib/file", b"x"))))
        self.assertEqual(b"x", (sandbox / "usr/lib/file").read_bytes())

    def test_no_setuid(self) -> None:
        sandbox = self.fetch(self.put("setuid.tar", archive("", entry(
            "program", tarfile.REGTYPE, mode=0o6755))))
        self.assertEqual(0o755, (sandbox / "program").stat().st_mode & 0o7777)


if __name__ == "__main__":
    import run
    run.main([__file__])
