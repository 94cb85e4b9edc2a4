import base64
import dataclasses

import pytest

from dashboard.errors import SettingsError
from dashboard.masking import MASK
from dashboard.settings import PREFIX, PROJECT_ROOT, Settings, unknown_names, with_secrets_file

KEY = base64.b64encode(bytes(range(32))).decode()
ACCOUNT = {
    "URL": "https://wallaroo.example.com",
    "USERNAME": "robot",
    "PASSWORD": "hunter2-hunter2",
}


def read(**values):
    return Settings.from_env({PREFIX + name: value for name, value in values.items()})


def refusal(**values):
    with pytest.raises(SettingsError) as caught:
        read(**values)
    return caught.value.message


def test_an_empty_environment_gives_the_defaults():
    settings = read()
    assert settings.uses_sandbox
    assert settings.port == 8501
    assert settings.data_dir == PROJECT_ROOT / ".data"
    assert settings.sandbox_seed == "demo"
    assert settings.password is None
    assert settings.database_url is None
    assert settings.in_flight is None
    assert settings.allowed_hosts == ()


def test_the_defaults_of_the_fields_are_those_of_an_empty_environment():
    assert read() == Settings()


def test_blank_means_unset():
    assert read(PORT=" ", URL="", IN_FLIGHT="", ALLOWED_HOSTS=" , ", KEY=" ") == Settings()


def test_every_setting_is_read(tmp_path):
    settings = read(
        PORT="9000",
        DATA_DIR=str(tmp_path),
        **{**ACCOUNT, "URL": "https://wallaroo.example.com/"},
        SANDBOX_SEED="EMPTY",
        SANDBOX_WAIT_MS="250",
        SANDBOX_STARTUP_S="1.5",
        FETCH_MAX_MB="2",
        KEEP_DAYS="30",
        FETCH_TIMEOUT_S="3",
        ALLOWED_HOSTS="Files.internal, 10.0.0.0/8, media.example.org, ::1",
        DATABASE_URL="postgresql+psycopg://u:p@db/x",
        KEY=KEY,
        INFER_TIMEOUT_S="5",
        IN_FLIGHT="4",
        BATCH_ROWS="8",
        LOG_LEVEL="debug",
    )
    assert settings.url == "https://wallaroo.example.com"
    assert not settings.uses_sandbox
    assert settings.password is not None
    assert settings.password.reveal() == "hunter2-hunter2"
    assert settings.allowed_hosts == ("files.internal", "10.0.0.0/8", "media.example.org", "::1")
    assert settings.sandbox_dir.parent == tmp_path
    assert settings.log_level == "DEBUG"
    unchanged = [
        field.name
        for field in dataclasses.fields(Settings)
        if getattr(settings, field.name) == field.default
    ]
    assert unchanged == []


@pytest.mark.parametrize(
    ("name", "value", "legal"),
    [
        ("PORT", "eighty", "0 to 65535"),
        ("PORT", "65536", "0 to 65535"),
        ("PORT", "-1", "0 to 65535"),
        ("PORT", "٨٠", "0 to 65535"),
        ("PORT", "tcp://10.0.0.1:80", "0 to 65535"),
        ("DATA_DIR", "relative/folder", "absolute path"),
        ("SANDBOX_SEED", "full", "demo, empty"),
        ("SANDBOX_WAIT_MS", "nan", "from 0 to"),
        ("SANDBOX_WAIT_MS", "-1", "from 0 to"),
        ("FETCH_MAX_MB", "inf", "from 0.001 to"),
        ("FETCH_TIMEOUT_S", "0", "from 0.1 to"),
        ("IN_FLIGHT", "0", "1 to 256"),
        ("BATCH_ROWS", "0", "1 to 10000"),
        ("LOG_LEVEL", "LOUD", "DEBUG"),
        ("ALLOWED_HOSTS", "10.0.0.256", "host names"),
        ("ALLOWED_HOSTS", "http://files.internal", "host names"),
        ("ALLOWED_HOSTS", "*", "host names"),
    ],
)
def test_a_refusal_names_variable_value_and_what_is_legal(name, value, legal):
    message = refusal(**{name: value})
    assert PREFIX + name in message
    assert repr(value) in message
    assert legal in message


def test_a_data_folder_that_is_a_file_is_refused(tmp_path):
    file = tmp_path / "file"
    file.touch()
    assert "a file is there" in refusal(DATA_DIR=str(file))


@pytest.mark.parametrize(
    "address",
    [
        "wallaroo.example.com",
        "ftp://wallaroo.example.com",
        "https://",
        "https://me:s3cret-pass@wallaroo.example.com",
        "https://wallaroo.example.com?token=s3cret-pass",
        "https://wallaroo.example.com#s3cret-pass",
        "https://wallaroo.example.com:port",
        "https://[s3cret-pass",
    ],
)
def test_a_wrong_address_is_refused_without_showing_it(address):
    message = refusal(**{**ACCOUNT, "URL": address})
    assert PREFIX + "URL" in message
    assert "s3cret-pass" not in message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("KEY", "c2hvcnQtc2VjcmV0"),
        ("KEY", "not base64 s3cret"),
        ("DATABASE_URL", "mysql://u:s3cret@db/x"),
        ("DATABASE_URL", "s3cret"),
    ],
)
def test_a_wrong_secret_is_refused_without_showing_it(name, value):
    message = refusal(**{name: value})
    assert PREFIX + name in message
    assert value not in message
    assert "s3cret" not in message


@pytest.mark.parametrize("missing", ["USERNAME", "PASSWORD"])
def test_an_address_needs_the_whole_account(missing):
    message = refusal(**{k: v for k, v in ACCOUNT.items() if k != missing})
    assert PREFIX + missing in message
    assert "must be set too" in message


def test_an_account_without_an_address_is_refused():
    message = refusal(USERNAME="robot")
    assert f"{PREFIX}URL is not" in message


def test_a_password_keeps_its_blanks():
    settings = read(**{**ACCOUNT, "PASSWORD": " blank at both ends "})
    assert settings.password is not None
    assert settings.password.reveal() == " blank at both ends "


def test_secrets_do_not_show_when_settings_are_printed():
    shown = repr(read(**ACCOUNT, KEY=KEY))
    assert "hunter2" not in shown
    assert KEY not in shown
    assert MASK in shown


def test_misspelt_variables_are_found_and_others_are_not():
    environ = {PREFIX + "PASWORD": "x", PREFIX + "PORT": "1", "HOME": "/"}
    assert unknown_names(environ) == (PREFIX + "PASWORD",)


def test_a_secrets_file_adds_to_the_environment_which_wins(tmp_path):
    file = tmp_path / "secrets.toml"
    file.write_text('[dashboard]\nurl = "https://file.example"\nport = 9001\n[other]\nx = "y"\n')
    environ = with_secrets_file({PREFIX + "PORT": "9002"}, file)
    assert environ == {PREFIX + "URL": "https://file.example", PREFIX + "PORT": "9002"}


def test_no_secrets_file_is_no_error(tmp_path):
    assert with_secrets_file({"A": "b"}, tmp_path / "absent.toml") == {"A": "b"}


@pytest.mark.parametrize("text", ['[dashboard]\npassword = "s3cret', 'dashboard = "s3cret"'])
def test_a_wrong_secrets_file_is_refused_without_quoting_it(tmp_path, text):
    file = tmp_path / "secrets.toml"
    file.write_text(text)
    with pytest.raises(SettingsError) as caught:
        with_secrets_file({}, file)
    assert str(file) in caught.value.message
    assert "s3cret" not in caught.value.message


def test_the_example_of_a_secrets_file_is_accepted():
    example = PROJECT_ROOT / ".streamlit" / "secrets.toml.example"
    settings = Settings.from_env(with_secrets_file({}, example))
    assert settings.username == "dashboard-service"
