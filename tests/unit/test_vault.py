import base64
import stat

import pytest

from dashboard.vault import KEY_BYTES, Vault, VaultError, load_key

KEY = bytes(range(KEY_BYTES))


def test_what_was_sealed_opens_again():
    sealed = Vault(KEY).seal(b"plain text", bound_to="row 1")
    assert Vault(KEY).open(sealed, bound_to="row 1") == b"plain text"


def test_the_sealed_bytes_do_not_hold_the_plain_text():
    assert b"plain text" not in Vault(KEY).seal(b"plain text", bound_to="row 1")


def test_sealing_twice_gives_different_bytes():
    vault = Vault(KEY)
    assert vault.seal(b"same", bound_to="a") != vault.seal(b"same", bound_to="a")


def test_a_row_moved_to_another_place_does_not_open():
    sealed = Vault(KEY).seal(b"plain", bound_to="row 1")
    with pytest.raises(VaultError):
        Vault(KEY).open(sealed, bound_to="row 2")


def test_another_key_does_not_open_it():
    sealed = Vault(KEY).seal(b"plain", bound_to="row 1")
    with pytest.raises(VaultError):
        Vault(bytes(KEY_BYTES)).open(sealed, bound_to="row 1")


@pytest.mark.parametrize("position", [0, 12, -1])
def test_a_changed_byte_is_noticed(position):
    sealed = bytearray(Vault(KEY).seal(b"plain", bound_to="row 1"))
    sealed[position] ^= 1
    with pytest.raises(VaultError):
        Vault(KEY).open(bytes(sealed), bound_to="row 1")


@pytest.mark.parametrize("sealed", [b"", b"short", bytes(12)])
def test_too_few_bytes_are_a_vault_error(sealed):
    with pytest.raises(VaultError):
        Vault(KEY).open(sealed, bound_to="row 1")


def test_a_key_of_another_length_is_refused():
    with pytest.raises(VaultError, match="32 bytes"):
        Vault(b"short")


def test_a_key_is_made_once_and_only_for_its_owner(tmp_path):
    path = tmp_path / "key"
    made = load_key(path, may_create=True)
    assert len(made) == KEY_BYTES
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_key(path, may_create=True) == made
    assert load_key(path, may_create=False) == made
    assert [file.name for file in tmp_path.iterdir()] == ["key"]


def test_a_lost_key_is_refused_and_not_replaced(tmp_path):
    path = tmp_path / "key"
    with pytest.raises(VaultError, match="missing"):
        load_key(path, may_create=False)
    assert not path.exists()


@pytest.mark.parametrize("text", ["", "not base64!", base64.b64encode(b"short").decode()])
def test_a_damaged_key_file_is_refused_and_kept(tmp_path, text):
    path = tmp_path / "key"
    path.write_text(text)
    with pytest.raises(VaultError, match=str(path)):
        load_key(path, may_create=True)
    assert path.read_text() == text


def test_a_key_from_the_environment_wins_over_the_file(tmp_path):
    path = tmp_path / "key"
    load_key(path, may_create=True)
    text = base64.b64encode(KEY).decode()
    assert load_key(path, from_environment=text, may_create=False) == KEY


def test_a_wrong_key_in_the_environment_is_refused_without_showing_it(tmp_path):
    with pytest.raises(VaultError) as caught:
        load_key(tmp_path / "key", from_environment="s3cret-but-short", may_create=True)
    assert "s3cret" not in str(caught.value)
