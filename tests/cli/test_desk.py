"""The desk's commands, as people at it and programs call them."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from monitor.inventory import load
from monitor.station.office import Wanted, office_of
from monitor.store import readings
from tests.cli.conftest import Installation, Vigia

EVA = "eva@cliente.test"
ASK = ("--requester", EVA, "--subject", "La conexión se cae", "--department", "soporte")


@pytest.fixture
def asked(vigia: Vigia, installation: Installation) -> int:
    """The number of a customer's ticket beside that of the fault, which is 1."""
    answer = vigia("desk", "open", *ASK, *installation.where, "--as", "ana", "--json", "Cada noche.")
    number: int = answer.document["id"]
    return number


def test_a_call_becomes_a_ticket_with_words_from_standard_input(
    vigia: Vigia, installation: Installation, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("sys.stdin", io.StringIO("Cada noche.\nDesde mayo.\n"))
    answer = vigia("desk", "open", *ASK, *installation.where, "--as", "ana", "--json")
    ticket = answer.document
    assert (ticket["requester"], ticket["channel"], ticket["status"], ticket["reference"]) == (
        EVA,
        "phone",
        "open",
        "",
    )
    assert "is not registered" in answer.err
    shown = vigia("desk", "show", ticket["id"], *installation.where, "--json").document
    assert [(each["side"], each["body"]) for each in shown["messages"]] == [
        ("requester", "Cada noche.\nDesde mayo.")
    ]
    assert [(each["deed"], each["author"]) for each in shown["history"]] == [("opened", "ana")]


def test_a_call_about_an_open_fault_is_led_to_its_incident(vigia: Vigia, installation: Installation):
    about = "gye1.nodored.test no responde"
    answer = vigia("desk", "open", *ASK, *installation.where, about)
    (incident,) = vigia("incident", "list", *installation.where, "--json").document
    assert f"vigia desk link 2 {incident['id']}" in answer.err
    linked = vigia("desk", "link", 2, incident["id"], *installation.where, "--json").document
    assert linked["incident"] == incident["id"]
    own = vigia("desk", "show", 1, *installation.where, "--json").document
    assert own["incident"] == incident["id"]
    assert vigia("desk", "link", 2, "-", *installation.where, "--json").document["incident"] is None
    named = vigia("desk", "open", *ASK, "--incident", incident["id"], *installation.where, "--json", "Hola")
    assert named.document["incident"] == incident["id"]
    second = vigia("desk", "open", *ASK, *installation.where, about)
    assert f"vigia desk merge 4 into {named.document['id']}`" in second.err


def test_a_ticket_goes_to_a_named_person_or_to_nobody(vigia: Vigia, installation: Installation, asked: int):
    refused = vigia("desk", "assign", asked, "", *installation.where)
    assert (refused.status, "`-` for nobody" in refused.err) == (1, True)
    assert vigia("desk", "assign", asked, "ana", *installation.where, "--json").document["assignee"] == "ana"
    assert vigia("desk", "assign", asked, "-", *installation.where, "--json").document["assignee"] is None


@pytest.mark.parametrize(
    ("written", "status"), [("{kind: desk}", "closed"), ("{kind: desk, close_linked: false}", "open")]
)
def test_the_clerk_lets_tickets_follow_their_incident(
    vigia: Vigia, installation: Installation, asked: int, written: str, status: str
):
    (incident,) = vigia("incident", "list", *installation.where, "--json").document
    vigia("desk", "link", asked, incident["id"], *installation.where)
    vigia("incident", "resolve", incident["id"], "--author", "ana", *installation.where)
    with installation.config.open("a", encoding="utf-8") as file:
        file.write(f"helpdesk: {written}\n")
    wanted = Wanted(
        configuration=load(installation.config, environment={}),
        database=installation.database,
        clock=installation.lookout.bureau.clock,
        installation="TESTHAUS",
    )
    office_of(wanted, on_result=lambda _result: None, on_news=lambda: None).clerk.round()
    shown = vigia("desk", "show", asked, *installation.where, "--json").document
    assert shown["status"] == status
    told = [each["body"] for each in shown["messages"] if each["side"] == "us"]
    assert [incident["id"] in each for each in told] == [True] * (status == "closed")


def test_a_letter_is_only_taken_where_mail_is_set_up(
    vigia: Vigia, installation: Installation, monkeypatch: pytest.MonkeyPatch
):
    letter = (
        f"From: {EVA}\nTo: soporte@nodored.test\nSubject: Sin correo\nMessage-ID: <1@x.test>\n\nDesde ayer."
    )
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(letter.encode())))
    refused = vigia("desk", "receive", *installation.where)
    assert (refused.status, "add `mail`" in refused.err) == (75, True)
    config = Path(installation.where[1])
    mail = "helpdesk: {kind: desk, mail: {from: ayuda@nodored.test, smtp: {host: 127.0.0.1}, registered_only: false}}\n"
    config.write_text(config.read_text() + mail)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(letter.encode())))
    taken = vigia("desk", "receive", *installation.where, "--json")
    assert taken.document == {"fate": "opened", "ticket": 2, "reason": ""}
    asked = vigia("desk", "show", 2, *installation.where, "--json").document
    assert (asked["requester"], asked["channel"]) == (EVA, "mail")


@pytest.mark.parametrize(
    "trouble", ["no configuration", "half a configuration", "no secret", "no database", "our own fault"]
)
def test_whatever_is_wrong_with_us_has_the_mail_server_keep_the_letter(
    vigia: Vigia, installation: Installation, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, trouble: str
):
    """Any other status returns the letter to the customer who wrote it."""
    config, data = installation.config, installation.data
    mail = "helpdesk: {kind: desk, mail: {from: ayuda@nodored.test, smtp: {host: 127.0.0.1}, registered_only: false}}\n"
    words = config.read_text() + mail
    match trouble:
        case "no configuration":
            config = tmp_path / "nowhere.yaml"
        case "half a configuration":
            words = words[: len(words) // 2]
        case "no secret":
            words += 'notify: {operators: ["${NOBODY_SET_THIS}"]}\n'
        case "no database":
            data = tmp_path / "nothing"
        case _:
            monkeypatch.setattr("monitor.actions.desk_mail.read", lambda _raw: 1 / 0)
    installation.config.write_text(words)
    monkeypatch.setattr(
        "sys.stdin", io.TextIOWrapper(io.BytesIO(b"From: a@b.test\n\nHola" + b"." * 2_000_000))
    )
    answer = vigia("desk", "receive", "--config", config, "--data", data)
    assert answer.status == 75, answer
    assert answer.err


def test_a_ticket_has_the_same_keys_whichever_way_it_is_asked_for(
    vigia: Vigia, installation: Installation, asked: int
):
    where = (*installation.where, "--json")
    [incident] = vigia("incident", "list", *where).document
    [ours] = vigia("ticket", "list", *where).document
    listed = next(each for each in vigia("desk", "list", *where).document if each["id"] == 1)
    shown = vigia("desk", "show", 1, *where).document
    found = vigia("desk", "search", "gye1", *where).document[0]
    done = vigia("desk", "priority", 1, "high", *where).document
    for each in (listed, shown, found, done):
        assert (each["incident"], each["incidents"]) == (incident["id"], [incident["id"]])
        assert (each["helpdesk"], each["url"]) == ("desk", ours["url"])
        assert set(ours) - {"delivery"} <= set(each)
    assert vigia("desk", "show", asked, *where).document["incidents"] == []


def test_the_list_is_narrowed_to_what_is_asked_for(vigia: Vigia, installation: Installation, asked: int):
    def listed(*words: object) -> list[int]:
        return [each["id"] for each in vigia("desk", "list", *words, *installation.where, "--json").document]

    vigia("desk", "assign", asked, "ana", *installation.where)
    assert listed() == [1, asked]
    assert listed("--mine", "--as", "ana") == [asked]
    assert listed("--mine", "--as", "eva") == []
    assert listed("--department", "comercial") == []
    vigia("desk", "reply", asked, "Ya lo vemos.", *installation.where)
    assert listed("--unanswered") == [1]
    assert listed("--status", "answered") == [asked]
    assert vigia("desk", "list", "--unanswered", "--status", "closed", *installation.where).status == 2
    plain = vigia("desk", "list", *installation.where).out
    assert "La conexión se cae" in plain
    assert EVA in plain


def test_a_ticket_is_shown_as_a_person_reads_it(vigia: Vigia, installation: Installation, asked: int):
    vigia("desk", "requester", "add", EVA, "--name", "Eva Mora", "--plan", "empresas", *installation.where)
    vigia("desk", "reply", asked, "Es el \x1b[31mdisco.", "--internal", "--as", "ana", *installation.where)
    vigia("desk", "priority", asked, "high", "--as", "ana", *installation.where)
    out = vigia("desk", "show", asked, *installation.where).out
    assert f"#{asked} La conexión se cae" in out
    assert f"from {EVA} (Eva Mora empresas) by phone" in out
    assert "revision 3" in out
    assert "ana (internal)" in out
    assert "\x1b" not in out
    assert "priority: normal → high" in out
    assert out.index("Cada noche.") < out.index("disco.") < out.index("priority:")


def test_merging_closing_and_opening_again(vigia: Vigia, installation: Installation, asked: int):
    second = vigia("desk", "open", *ASK, *installation.where, "--json", "Otra vez.").document["id"]
    answer = vigia("desk", "merge", second, "into", asked, "--as", "ana", *installation.where)
    assert answer.status == 0
    shown = vigia("desk", "show", asked, *installation.where)
    assert f"merged into it: {second}" in shown.out
    assert f"{EVA} on #{second}" in shown.out
    gone = vigia("desk", "show", second, *installation.where)
    assert f"merged into {asked}: it goes on there" in gone.out
    assert vigia("desk", "close", asked, *installation.where, "--json").document["status"] == "closed"
    assert vigia("desk", "reopen", asked, *installation.where, "--json").document["status"] == "open"
    assert vigia("desk", "merge", asked, "with", 1, *installation.where).status == 2


def test_a_view_that_is_out_of_date_is_told(vigia: Vigia, installation: Installation, asked: int):
    seen = vigia("desk", "show", asked, *installation.where, "--json").document["revision"]
    vigia("desk", "reply", asked, "Ya lo vemos.", "--as", "eva", *installation.where)
    late = vigia("desk", "close", asked, "--seen", seen, *installation.where)
    assert late.status == 1
    assert f"ticket {asked} changed meanwhile (eva: reply)" in late.err
    assert vigia("desk", "close", asked, "--seen", seen + 1, *installation.where).status == 0


def test_a_move_needs_a_department_that_exists(vigia: Vigia, installation: Installation, asked: int):
    with installation.database.reading() as tx:
        fleet = readings.fleet(tx)
    assert fleet is not None
    assert fleet.departments == ()
    # Where no departments are configured, any name is one.
    moved = vigia("desk", "move", asked, "comercial", *installation.where, "--json")
    assert moved.document["department"] == "comercial"


def test_words_are_found(vigia: Vigia, installation: Installation, asked: int):
    found = vigia("desk", "search", "conexion", "noche", "status:open", *installation.where, "--json")
    assert [each["id"] for each in found.document] == [asked]
    assert "La conexión" in vigia("desk", "search", "noche", *installation.where).out
    nothing = vigia("desk", "search", "factura", *installation.where)
    assert (nothing.status, nothing.out) == (1, "Nothing was found.\n")
    assert "there is no status 'lost'" in vigia("desk", "search", "status:lost", *installation.where).err


def test_requesters_come_one_by_one_or_by_table(vigia: Vigia, installation: Installation, tmp_path: Path):
    added = vigia(
        "desk", "requester", "add", EVA, "--place", "gye1", "--language", "en", *installation.where, "--json"
    )
    assert (added.document["places"], added.document["language"]) == (["gye1"], "en")
    table = tmp_path / "clientes.csv"
    table.write_text("\N{BOM}address,name\npedro@otro.test,Pedro\n", encoding="utf-8")
    assert (
        vigia("desk", "requester", "import", table, *installation.where).out
        == "1 added, 0 changed, 0 as they were\n"
    )
    again = vigia("desk", "requester", "import", table, *installation.where, "--json")
    assert again.document == {"added": 0, "changed": 0, "unchanged": 1}
    assert "disabled" in vigia("desk", "requester", "disable", EVA, *installation.where).out
    assert EVA not in vigia("desk", "requester", "list", *installation.where).out
    everybody = vigia("desk", "requester", "list", "--all", *installation.where, "--json").document
    assert [each["address"] for each in everybody] == [EVA, "pedro@otro.test"]


@pytest.mark.parametrize(
    ("written", "said"),
    [(b"address\nnobody\n", "line 2: "), (b"name\nEva\n", "line 1: "), ("ñ".encode("latin-1"), "UTF-8")],
)
def test_a_table_that_cannot_be_read_says_where(
    vigia: Vigia, installation: Installation, tmp_path: Path, written: bytes, said: str
):
    table = tmp_path / "clientes.csv"
    table.write_bytes(written)
    answer = vigia("desk", "requester", "import", table, *installation.where)
    assert answer.status == 1
    assert said in answer.err
    assert vigia("desk", "requester", "list", *installation.where).out == "Nobody is registered.\n"
