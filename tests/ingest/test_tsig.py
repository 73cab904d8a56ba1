"""A TSIG key comes from a file that nobody else may read, in the syntax of BIND."""

import subprocess
from pathlib import Path

import dns.name
import dns.tsig
import pytest

from syncd.errors import ConfigError
from syncd.ingest.tsig import parse_key, read_key

SECRET = "L8RiDduCrUCSoeYCW76Ar+tS/HXf6gO3Wld+CiEhIUk="
PRINTED = f"""\
key "transfer." {{
	algorithm hmac-sha256;
	secret "{SECRET}";
}};
"""


def key_file(folder: Path, text: str, mode: int = 0o600) -> Path:
    path = folder / "transfer.key"
    path.touch(mode=mode)
    path.chmod(mode)
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    "algorithm",
    [f"hmac-{name}" for name in ("md5", "sha1", "sha224", "sha256", "sha384", "sha512")],
)
def test_what_tsig_keygen_prints_is_read(tmp_path: Path, algorithm: str) -> None:
    printed = subprocess.run(
        ["tsig-keygen", "-a", algorithm, "transfer"], capture_output=True, text=True, check=True
    ).stdout
    key = read_key(key_file(tmp_path, printed))
    assert key.name == dns.name.from_text("transfer.")
    assert len(key.secret) >= 16
    dns.tsig.get_context(key)


def test_comments_quotes_and_blanks_may_stand_as_in_bind() -> None:
    text = f"# ours\nkey transfer{{ // a word\nsecret {SECRET};/* x */algorithm HMAC-SHA512 ; }}"
    key = parse_key(text, "here")
    assert (key.name.to_text(), key.algorithm) == ("transfer.", dns.tsig.HMAC_SHA512)


def test_a_secret_may_look_like_a_comment() -> None:
    assert parse_key(PRINTED.replace(SECRET, "AA//AA=="), "here").secret == b"\0\x0f\xff\0"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601])
def test_a_file_that_others_may_use_is_refused(tmp_path: Path, mode: int) -> None:
    path = key_file(tmp_path, PRINTED, mode)
    with pytest.raises(ConfigError, match=f"can be used by others .mode {mode:03o}.; chmod 600"):
        read_key(path)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no TSIG key to be read: No such file"):
        read_key(tmp_path / "none")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is not one `key NAME"),
        (PRINTED + PRINTED, "is not one `key NAME"),
        (SECRET, "is not one `key NAME"),
        ('key "a" { algorithm hmac-sha256; };', "states `algorithm` and `secret`"),
        (f'key a {{ secret "{SECRET}"; }};', "states `algorithm` and `secret`"),
        (PRINTED.replace("secret", "secrets"), "states `algorithm` and `secret`"),
        (PRINTED.replace('";\n}', '" "more";\n}'), "there is more than"),
        (PRINTED.replace("hmac-sha256", "hmac-sha3"), "there are hmac-md5, hmac-sha1"),
        (PRINTED.replace(SECRET, SECRET[:-2]), "the secret is not base64"),
        (PRINTED.replace(SECRET, "\u00e9"), "the secret is not base64"),
        (PRINTED.replace(SECRET, ""), "the secret is empty"),
        (PRINTED.replace("transfer.", "a..b"), "the key's name is no domain name"),
    ],
)
def test_what_is_no_key_is_told_without_a_word_of_it(text: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason) as caught:
        parse_key(text, "transfer.key")
    assert str(caught.value).startswith("transfer.key: ")
    assert SECRET[:10] not in str(caught.value)
