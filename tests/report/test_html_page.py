"""The page of a run: what it says of records, from wherever they are."""

from __future__ import annotations

import base64
import math
import re
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

from report import LivePage, RunRecords, write_page
from report.curves import chart, gaps
from report.heat_map import JUDGED, UNUSABLE, WEIGHT, heat_map
from report.html_page import page_of
from report.judgements import judgements, ranges
from report.report_command import main
from report.run_records import ClientRecord, NoRecords

HEADER = "round,client,loss_gap,robust_weight,weight,judged_malicious,num_examples,left_out,branch"


def record(
    number: int, client: str, weight: float = 0.5, gap: float = 0.1, judged: bool = False, why: str = ""
) -> ClientRecord:
    return ClientRecord(number, client, weight, gap, judged, why, None)


def test_who_was_judged_when_why_and_since_when() -> None:
    rounds = range(1, 7)
    clients = [record(number, "1") for number in rounds]
    clients += [record(number, "12", 0.0, 0.9, judged=number != 2) for number in rounds]
    clients += [
        record(number, "2", 0.0, math.nan, number > 4, "NaN" * (number > 4)) for number in rounds
    ]
    first, second = judgements(RunRecords(tuple(clients), {}))
    assert (first.client, first.num_judged, first.num_rounds, first.when) == ("12", 5, 6, "1, 3-6")
    assert (first.since_round, first.loss_gap, first.others_gap) == (3, 0.9, 0.1)
    assert (second.client, second.when, second.reasons) == ("2", "5-6", ("NaN",))
    assert second.since_round is None


def test_the_page_names_who_is_kept_though_the_weighting_leaves_them_out(tmp_path: Path) -> None:
    rows = [f"{number},{client},0.1,0,0.2,False,9,,0," for number in (1, 2, 3) for client in (7, 12)]
    back = [row + "vouching" * row.startswith(("1,12", "2,12", "3,7")) for row in rows]
    (tmp_path / "clients.csv").write_text("\n".join([f"{HEADER},brought_back_by", *back]) + "\n")
    page = write_page(tmp_path).read_text()
    assert re.findall(r"<li>(.* \(vouching\))</li>", page) == [
        "7 in rounds 3 (vouching)",
        "12 in rounds 1-2 (vouching)",
    ]
    (tmp_path / "clients.csv").write_text("\n".join([HEADER, "1,7,0.1,0,0.2,False,9,,0"]) + "\n")
    assert "Kept though" not in write_page(tmp_path).read_text()


def test_ranges_of_rounds() -> None:
    every = range(1, 50)
    assert ranges([], every) == ""
    assert ranges([1, 2, 3, 7, 9, 10], every) == "1-3, 7, 9-10"
    assert ranges([1, 3, 7], [1, 3, 5, 7]) == "1-3, 7"  # it took no part in the second
    assert ranges(range(1, 41, 2), every) == "... " + ", ".join(map(str, range(17, 41, 2)))


def test_gaps_of_those_who_may_be_believed() -> None:
    clients = [record(1, str(k), gap=float(k)) for k in range(20)]
    clients += [record(1, "liar", gap=99.0, judged=True), record(1, "silent", gap=math.nan)]
    found = gaps(RunRecords(tuple(clients), {}))
    assert found["largest, not judged malicious"] == {1: 19.0}
    assert found["worst 10%, not judged malicious"] == {1: 18.5}
    assert found["largest of all"] == {1: 99.0}


def test_curves_span_the_chart() -> None:
    drawn = chart("accuracy", {"a": {0: 0.0, 5: 0.5, 10: 1.0}, "b": {10: 0.25}}, high=1.0)
    assert drawn is not None
    assert [curve.path for curve in drawn.curves] == [
        "M0.0 1000.0L500.0 500.0L1000.0 0.0",
        "M1000.0 750.0h0",
    ]
    assert chart("nothing", {"a": {}}) is None


def test_the_heat_map_has_a_pixel_for_every_client_and_round() -> None:
    clients = (
        record(1, "10", weight=1.0),
        record(1, "9", weight=0.0, judged=True),
        record(2, "9", weight=0.0, judged=True, why="array 0 has shape (1,)"),
    )
    drawn = heat_map(RunRecords(clients, {}))
    data = base64.b64decode(drawn.png.partition(",")[2])
    width, height = struct.unpack(">II", data[16:24])
    (length,) = struct.unpack(">I", data[33:37])
    lines = np.frombuffer(zlib.decompress(data[41 : 41 + length]), np.uint8).reshape(
        height, 1 + 4 * width
    )
    pixels = lines[:, 1:].reshape(height, width, 4)
    assert (drawn.clients, drawn.rounds) == (["9", "10"], [1, 2])
    assert tuple(pixels[0, 0, :3]) == JUDGED
    assert tuple(pixels[0, 1, :3]) == UNUSABLE
    assert tuple(pixels[1, 0]) == (*WEIGHT, 255)
    assert tuple(pixels[1, 1]) == (0, 0, 0, 0)
    assert drawn.cells[0][1] == ["0.0000", "0.1000", "array 0 has shape (1,)"]
    assert drawn.cells[1][1] is None


def test_what_clients_say_stays_text() -> None:
    bad = "</script><script>alert(1)</script>"
    page = page_of(RunRecords((record(1, bad, judged=True, why=bad),), {}), bad)
    assert "<script>alert" not in page
    assert page.count("</script>") == 1


def test_a_run_that_goes_on_is_read_as_far_as_it_is(tmp_path: Path) -> None:
    rows = "1,0,0.5,0.5,0.5,False,9,,0\n1,1,,0.5,0.5,False,9,,0\n2,0,0.4,0"
    (tmp_path / "clients.csv").write_text(f"{HEADER}\n{rows}")
    records = RunRecords.of(tmp_path)
    assert [(one.round, one.client) for one in records.clients] == [(1, "0"), (1, "1")]
    assert math.isnan(records.clients[1].loss_gap)
    page = write_page(tmp_path).read_text()
    assert "Nobody, in no round." in page
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["clients.csv", "report.html"]


def test_the_app_s_records_say_who_is_malicious_and_whether_it_is_finished(tmp_path: Path) -> None:
    header = HEADER.replace("num_examples", "truly_malicious,num_examples")
    rows = [
        "1,0,0.1,0.5,0.5,False,False,9,,0",
        "1,3,0.9,0,0,True,True,9,,0",
        "1,4,0,1,1,False,True,9,,0",
    ]
    (tmp_path / "clients.csv").write_text("\n".join([header, *rows]) + "\n")
    (tmp_path / "rounds.csv").write_text(
        "round,test_accuracy,attack_success_rate\n0,0.1,0.0\n1,0.9,0.2\n"
    )
    (tmp_path / "settings.toml").write_text("")
    (tmp_path / "groups.csv").write_text(
        "round,group,accuracy,weight\n0,majority,0.5,\n1,majority,0.75,0.8\n1,minority,nan,0.2\n"
    )
    (tmp_path / "subgroups.csv").write_text(
        "round,subgroup,num_examples,accuracy\n1,sex=Female,9,0.625\n"
    )
    page = write_page(tmp_path).read_text()
    assert "Still running" in page
    assert "majority: 0.7500</li>" in page
    assert "sex=Female: 0.6250</li>" in page
    assert "minority:" not in page, "nothing is known of it"
    assert "Malicious and never judged so: 4." in page
    assert re.search(r"<b>0.9000</b><span>test accuracy</span>", page)
    assert re.search(r"<b>0.2000</b><span>attack success rate</span>", page)
    (tmp_path / "summary.json").write_text("{}")
    assert "Finished" in write_page(tmp_path).read_text()


@pytest.mark.slow
def test_a_page_of_many_clients_and_rounds_stays_small() -> None:
    clients = tuple(record(number, str(k)) for number in range(1, 201) for k in range(500))
    assert len(page_of(RunRecords(clients, {}), "many")) < 200_000


def test_many_judged_clients_are_folded_away() -> None:
    clients = tuple(record(1, str(k), judged=True) for k in range(200))
    page = page_of(RunRecords(clients, {}), "many")
    assert "<summary>180 more, judged in 1 rounds or fewer</summary>" in page
    assert page.count('data-name="client"') == 200
    assert "Nobody" not in page


def test_the_command_writes_the_page_or_says_why_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", str(tmp_path)]) == 2
    assert "holds neither clients.csv nor rounds.csv" in capsys.readouterr().err
    with pytest.raises(NoRecords):
        write_page(tmp_path / "missing")
    (tmp_path / "clients.csv").write_text(f"{HEADER}\n1,0,0.5,0.5,0.5,False,9,,0\n")
    assert main(["report", str(tmp_path)]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "report.html")


def test_a_live_page_is_made_anew_and_reloads_itself_until_the_end(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="flwr")
    (tmp_path / "clients.csv").write_text(f"{HEADER}\n1,0,0.5,0.5,0.5,False,9,,0\n")
    page, file = LivePage(tmp_path), tmp_path / "report.html"
    page.after_round()
    assert str(file) in caplog.text
    assert '<meta http-equiv="refresh"' in file.read_text()
    page._took = 1e9  # as on a machine where a page takes long
    file.unlink()
    page.after_round()
    assert not file.exists()
    page.at_end()
    assert "refresh" not in file.read_text()


def test_a_page_that_the_disk_does_not_take_ends_no_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    LivePage(tmp_path / "gone").after_round()
    assert "cannot be written" in caplog.text
