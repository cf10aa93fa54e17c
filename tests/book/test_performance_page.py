"""The page on speed stands where one looks things up, and says all that the record says, slower rows included."""

from __future__ import annotations

from bs4 import BeautifulSoup

from virkning import performance


def test_page_stands_in_look_it_up(nsw) -> None:
    page = BeautifulSoup(nsw.text("index"), "html.parser")
    caption = next(item for item in page.select("nav p.caption") if item.get_text(strip=True) == "Look it up")
    assert "How quick is it?" in caption.find_next("ul").get_text()


def test_page_shows_every_goal_and_every_estimator(nsw) -> None:
    page = BeautifulSoup(nsw.text("performance"), "html.parser")
    shown = {
        figure["id"]: [
            [cell.get_text(strip=True) for cell in line.select("td, th")] for line in figure.select("tbody tr")
        ]
        for figure in page.select("article figure.vk-table")
    }
    goals = shown["table-performance-goals"]
    assert [line[0] for line in goals] == [goal.words for goal in performance.GOALS]
    assert {line[-1] for line in goals} <= {"yes", "no", "not measured"}
    for table in performance.estimators():
        lines = shown[f"table-{table.name}"]
        assert [line[0] for line in lines] == list(table.frame["row"])
        assert [line[-1] for line in lines] == list(table.frame["verdict"])
