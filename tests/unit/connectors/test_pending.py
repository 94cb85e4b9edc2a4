"""Which details are addresses, and what is dropped when one of them moves."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dashboard.connectors.address_finding import address_at
from dashboard.connectors.custom import CustomConnector
from dashboard.connectors.http_file import HttpFileConnector
from dashboard.connectors.pending import addresses_of, dropped_leaves, pending_details
from dashboard.domain.detail_tree import Change, ChangeAct, changed, leaves_of, scalars_of
from dashboard.errors import InvalidInput
from dashboard.masking import Secret

HTTP = HttpFileConnector()
CUSTOM = CustomConnector("KAFKA")


ONE_LABEL_KEYS = (
    *("cluster", "clusters", "node", "nodes", "node(s)", "seeds", "bucket", "bucket_name"),
    *("tenant", "tenantId", "region", "master", "project", "project-id", "replicas", "namespace"),
    *("contact_points", "metadata.broker.list", "accountname"),
)


def replaced(path, value):
    return Change(path, ChangeAct.REPLACE, Secret(value))


def removed(path):
    return Change(path, ChangeAct.REMOVE)


@pytest.mark.parametrize(
    ("key", "value", "address"),
    [
        ("host", "DB.Example.org.", "db.example.org"),
        ("dbHost", "db", "db"),
        ("DB_HOSTNAME", "db", "db"),
        ("host name", "db", "db"),
        ("bootstrap.servers", "b:9092, A.x.org.:9092", "b:9092,a.x.org:9092"),
        ("port", 5432, "5432"),
        ("account", "XY12", "xy12"),
        ("connection_string", "Server=a;Password=b", "server=a;password=b"),
        ("any", "https://u:p@EX.com:443/a?t=1", "https://ex.com"),
        ("any", "https://good.example\\@evil.example/", "https://good.example\\@evil.example/"),
        ("dsn", "postgresql://u:p@H:5432/x", "postgresql://h:5432"),
        ("dsn", "postgresql://u:p@h/x?host=evil", "postgresql://h,host=evil"),
        ("dsn", "postgresql:///x?host=evil", "postgresql:///x?host=evil"),
        ("any", "mongodb://u:p@h1:1,h2:2/db", "mongodb://h1:1,mongodb://h2:2"),
        ("any", "jdbc:sqlserver://h:1;serverName=e", "jdbc:sqlserver://h:1,servername=e"),
        ("any", "10.0.0.1", "10.0.0.1"),
        ("any", "[::1]:80", "[::1]:80"),
        ("any", "a.example:1,b.example:2", "a.example:1,b.example:2"),
        ("any", "files.example.org", "files.example.org"),
        ("any", "two words", None),
        ("any", "week.json", None),
        ("any", "", None),
        ("any", None, None),
        ("host", True, None),
        ("password", "horse.battery", None),
        ("server_password", "horse.battery", None),
        ("username", "ann.smith", None),
        ("topic", "orders.created", None),
        ("email_address", "ann@example.org", None),
        *((key, "a1", "a1") for key in ONE_LABEL_KEYS),
        ("tenant_id", 7, "7"),
        ("nodes", 3, None),
        ("service_account", "a1", None),
        ("apikey", "horse.battery", None),
        ("clientsecret", "horse.battery", None),
        ("mail_server", "mx", "mx"),
    ],
)
def test_an_address_is_found_by_its_form_or_its_key(key, value, address):
    assert address_at((key,), value) == address
    assert address_at(("outer", key, 0), value) == address


@pytest.mark.parametrize(
    "moved",
    [
        "https://evil.example/x",
        "https://a.example:444/x",
        "http://a.example/x",
        "https://a.example@evil.example/x",
    ],
)
def test_a_link_that_leads_elsewhere_drops_what_was_sent_to_the_old_host(moved):
    details = {"url": "https://a.example/x", "token": "t0ken", "format": "csv", "odd": None}
    pending = pending_details(HTTP, details, [replaced(("url",), moved)])
    assert pending.details == {"url": moved, "format": "csv", "odd": None}
    assert [leaf.label for leaf in pending.dropped] == ["token"]
    assert pending.touched == {"url", "token"}


@pytest.mark.parametrize("same", ["https://A.example./y.json?v=2", "https://a.example:443/"])
def test_a_link_to_the_same_host_drops_nothing(same):
    details = {"url": "https://a.example/x", "token": "t0ken"}
    pending = pending_details(HTTP, details, [replaced(("url",), same)])
    assert pending.details == {"url": same, "token": "t0ken"}
    assert pending.dropped == ()


def test_a_secret_typed_anew_together_with_the_host_is_kept():
    details = {"url": "https://a.example/x", "token": "t0ken", "headers": {"X-Key": "k3y"}}
    changes = [replaced(("url",), "https://b.example/"), replaced(("token",), "n3w")]
    pending = pending_details(HTTP, details, changes)
    assert pending.details == {"url": "https://b.example/", "token": "n3w", "headers": {}}


def test_a_host_for_a_link_of_older_connections_counts_too():
    details = {"host": "a.example", "token": "t"}
    pending = pending_details(HTTP, details, [replaced(("host",), "b.example")])
    assert pending.details == {"host": "b.example"}
    assert pending_details(HTTP, details, [replaced(("url",), "https://a.example/x")]).dropped == ()


def test_a_custom_types_hosts_bind_all_but_addresses():
    details = {
        "servers": ["a.example:1", "b.example:1"],
        "port": 9,
        "sasl": {"user": "ann", "password": "pw-1234"},
        "flags": {},
    }
    fewer = pending_details(CUSTOM, details, [removed(("servers", 0))])
    assert fewer.dropped == ()
    moved = pending_details(CUSTOM, details, [replaced(("servers", 1), "evil.example:1")])
    assert moved.details == {
        "servers": ["a.example:1", "evil.example:1"],
        "port": 9,
        "sasl": {},
        "flags": {},
    }
    added = pending_details(CUSTOM, details, [replaced(("proxy",), {"host": "evil"})])
    assert [leaf.label for leaf in added.dropped] == ["sasl.user", "sasl.password"]


def test_an_address_that_is_hidden_deep_in_a_new_value_counts():
    deep: object = {"endpoint": "evil"}
    for _level in range(20):
        deep = [deep]
    pending = pending_details(CUSTOM, {"password": "pw-1234"}, [replaced(("x",), deep)])
    assert [leaf.label for leaf in pending.dropped] == ["password"]


def test_a_group_too_large_to_be_opened_is_dropped_as_a_whole():
    details = {"host": "a", "many": {str(number): "pw-1234" for number in range(500)}}
    pending = pending_details(CUSTOM, details, [replaced(("host",), "b")])
    assert pending.details == {"host": "b"}


PASSWORDS = {"password": "pw-1234", "auth": {"token": "tok-5678"}}


@pytest.mark.parametrize(
    ("details", "path", "new"),
    [
        ({"hosts": [{"name": "a.corp.example"}]}, ("hosts", 0, "name"), "evil.example"),
        ({"hosts": [{"name": "db1"}]}, ("hosts", 0, "name"), "evil"),
        ({"hosts": [{"name": "db1"}]}, ("hosts", 1), {"name": "evil"}),
        ({"hosts": [{"name": "db1"}]}, ("hosts",), [{"anything": "evil"}]),
        ({"servers": {"main": {"at": "db1"}}}, ("servers", "main", "at"), "evil"),
        ({"brokers": {"a.example": 9092}}, ("brokers", "evil.example"), 9092),
        ({"cluster": "kafka1"}, ("cluster",), "evil"),
        ({"where": "a.corp.example"}, ("where",), "evil"),
        ({"where": "10.0.0.1"}, ("where",), 167772162),
        ({"where": ["a.corp.example"]}, ("where", 1), "evil"),
        ({"where": ["a.corp.example"]}, ("where",), "evil"),
        ({"where": "a.corp.example"}, ("where",), {"at": ["evil"]}),
        ({"where": "anything"}, ("where",), "evil.example"),
        *(({key: "a1"}, (key,), "evil") for key in ONE_LABEL_KEYS),
    ],
)
def test_a_custom_types_secrets_never_follow_an_address_however_it_is_spelt(details, path, new):
    pending = pending_details(CUSTOM, {**details, **PASSWORDS}, [replaced(path, new)])
    assert {"password", "auth.token"} <= {leaf.label for leaf in pending.dropped}
    assert not {"pw-1234", "tok-5678"} & set(map(str, every_value(pending.details)))


def every_value(details):
    return [value for _path, value in scalars_of(details)]


def test_what_only_stands_in_a_group_of_addresses_does_not_go_along_to_another_one():
    details = {
        "hosts": [{"name": "a1", "sauce": "s3cr3t"}, {"name": "b1"}],
        "token": "https://looks.like/a-link",
        "service_account": '{"private_key": "s3cr3t"}',
        "project": '{"private_key": "s3cr3t"}',
    }
    pending = pending_details(CUSTOM, details, [replaced(("hosts", 0, "name"), "evil")])
    assert pending.details == {"hosts": [{"name": "evil"}, {"name": "b1"}]}


SECRET_PATHS = (
    *(("password",), ("token",), ("private_key",), ("apikey",), ("sasl.jaas.config",)),
    *(("hosts", 0, "password"), ("server", "auth", "value"), ("broker", "sasl", "plain")),
    *(("account", "keys", 0), ("cluster", "user"), ("auth", "token")),
)


@given(
    st.sampled_from(SECRET_PATHS),
    st.one_of(st.text(), st.sampled_from(["horse.battery", "10.0.0.1", "a:1", "pw", "-----B\nx"])),
)
def test_a_plain_rotation_of_a_secret_moves_nothing(path, new):
    assume("://" not in new)
    details = {
        "hosts": [{"name": "a.corp.example", "password": "pw"}],
        "server": {"host": "db", "auth": {"value": "v", "kind": "plain"}},
        "broker": {"sasl": {"plain": "x"}, "at": "b1"},
        "account": {"keys": ["k1"]},
        "cluster": {"user": "ann", "name": "c1"},
        "password": "horse.battery",
        "token": "10.0.0.1",
        "private_key": "k",
        "apikey": "a.bcd",
        "sasl.jaas.config": "x",
        "auth": {"token": "t"},
    }
    pending = pending_details(CUSTOM, details, [replaced(path, new)])
    if path != ("sasl.jaas.config",) or address_at(path, new) is None:
        assert pending.dropped == ()
        assert pending.details == changed(details, [replaced(path, new)])


JSON = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.sampled_from(["a.example", "s3cret", "x"])
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["host", "password", "url", "a", ""]), inner, max_size=4),
    ),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from(["host", "token", "b", ""]), JSON, max_size=4), st.data())
def test_what_is_announced_is_what_is_dropped(details, data):
    leaves = leaves_of(details)
    paths = [leaf.path for leaf in leaves]
    chosen = data.draw(st.lists(st.sampled_from(paths), unique=True)) if paths else []
    new = st.sampled_from(["evil.example", "n3w", 5])
    changes = [replaced(path, data.draw(new)) for path in chosen]
    changes += [] if ("new",) in paths else [replaced(("new",), data.draw(new))]
    announced = dropped_leaves(CUSTOM, leaves, addresses_of(CUSTOM, details), changes)
    pending = pending_details(CUSTOM, details, changes)
    assert pending.dropped == announced
    known = addresses_of(CUSTOM, details)
    now = addresses_of(CUSTOM, pending.details)
    if announced or set(now.values()) - set(known.values()):
        kept = {leaf.path for leaf in leaves} - {leaf.path for leaf in announced} - set(chosen)
        assert all(leaf.path in known or not leaf.is_set for leaf in leaves if leaf.path in kept)
    if announced:
        assert known or now


@pytest.mark.parametrize(
    ("details", "touched", "field"),
    [
        ({"url": "https//x.example/a"}, {"url"}, "url"),
        ({"token": "t"}, {"url"}, "url"),
        ({"url": 5}, {"url"}, "url"),
        ({"host": "two words"}, {"host"}, "host"),
        ({"url": "https://a.example", "format": "xls"}, {"format"}, "format"),
        ({"url": "https://a.example", "username": "ann"}, {"username"}, "password"),
        ({"url": "https://a.example", "password": "p"}, {"username"}, "username"),
        (
            {"url": "https://a.example", "username": "a:b", "password": "p"},
            {"password"},
            "username",
        ),
        ({"url": "https://a.example", "token": "to ken"}, {"token"}, "token"),
        ({"url": "https://a.example", "token": "tök"}, {"token"}, "token"),
        ({"url": "https://a.example", "token": 5}, {"token"}, "token"),
        ({"url": "https://a.example", "headers": {"Host": "x"}}, {"headers"}, "headers"),
        ({"url": "https://a.example", "headers": "X: y"}, {"headers"}, "headers"),
        ({"url": "https://a.example", "headers": {"X": ["y"]}}, {"headers"}, "headers"),
        (["https://a.example"], {"details"}, "details"),
    ],
)
def test_a_changed_key_is_held_against_the_rules(details, touched, field):
    with pytest.raises(InvalidInput) as caught:
        HTTP.check(details, touched)
    assert caught.value.field == field


def test_a_broken_link_comes_with_its_correction():
    with pytest.raises(InvalidInput) as caught:
        HTTP.check({"url": "https//x.example/a"}, {"url"})
    assert caught.value.suggestion == "https://x.example/a"


def test_what_was_not_touched_is_somebody_elses_way():
    odd = {"url": "nonsense", "format": 7, "token": "to ken", "username": "a:b", "headers": "x"}
    HTTP.check(odd, {"note"})
    HTTP.check({"url": "https://a.example", "token": "to ken", "password": "p"}, {"url"})
    HTTP.check({"host": "files.example.org"}, {"host", "url"})
    HTTP.check({"url": "https://a.example", "token": "Bearer abc", "headers": {}}, {"token"})
    CUSTOM.check(["anything"], {"details"})


@pytest.mark.parametrize(
    ("path", "value", "shown"),
    [
        (("format",), "csv", True),
        (("format",), "secret", False),
        (("a", "format"), "csv", False),
        (("url",), "https://a.example:444/week.json", True),
        (("url",), "https://a.example", True),
        (("host",), "a.example", True),
        (("url",), "a.example", False),
        (("url",), "https://a.example/folder/week.json", False),
        (("url",), "https://a.example/hook", False),
        (("url",), "https://a.example/week.json?sig=1", False),
        (("url",), "https://a.example/week.json?", False),
        (("url",), "https://a.example/week.json#part", False),
        (("url",), "https://u:p@a.example/week.json", False),
        (("url",), "https://u:p/w@a.example/", False),
        (("token",), "csv", False),
        (("url",), 5, False),
    ],
)
def test_only_the_allow_list_may_be_shown(path, value, shown):
    assert HTTP.may_show(path, value) is shown
    assert not CUSTOM.may_show(path, value)


def test_only_the_format_is_free():
    assert HTTP.is_free(("format",))
    assert not HTTP.is_free(("headers", "format"))
    assert not CUSTOM.is_free(("format",))
