import datetime

import pytest

from pocketkit import calendars


@pytest.mark.parametrize("year, leap", [(2000, True), (1900, False), (2024, True), (2023, False), (2100, False)])
def test_is_leap(year, leap):
    assert calendars.is_leap(year) is leap


def test_is_leap_count():
    assert sum(calendars.is_leap(year) for year in range(1, 401)) == 97


def test_month_length_february():
    assert calendars.month_length(2024, 2) == 29
    assert calendars.month_length(2023, 2) == 28


def test_month_length_all():
    assert sum(calendars.month_length(2023, month) for month in range(1, 13)) == 365
    assert [calendars.month_length(2024, month) for month in (1, 4, 11, 12)] == [31, 30, 30, 31]


@pytest.mark.parametrize("month", [0, 13, -1])
def test_month_length_rejects(month):
    with pytest.raises(ValueError):
        calendars.month_length(2024, month)


def test_is_valid():
    assert calendars.is_valid(2024, 2, 29)
    assert not calendars.is_valid(2023, 2, 29)


def test_is_valid_bounds():
    assert calendars.is_valid(1, 1, 1)
    assert calendars.is_valid(2024, 12, 31)
    assert not calendars.is_valid(0, 1, 1)
    assert not calendars.is_valid(2024, 13, 1)
    assert not calendars.is_valid(2024, 0, 1)


def test_is_valid_day_bounds():
    assert not calendars.is_valid(2024, 4, 31)
    assert not calendars.is_valid(2024, 4, 0)


def test_day_of_year():
    assert calendars.day_of_year(2024, 1, 1) == 1
    assert calendars.day_of_year(2024, 12, 31) == 366
    assert calendars.day_of_year(2023, 12, 31) == 365


def test_day_of_year_after_february():
    assert calendars.day_of_year(2024, 3, 1) == 61
    assert calendars.day_of_year(2023, 3, 1) == 60


def test_day_of_year_rejects():
    with pytest.raises(ValueError):
        calendars.day_of_year(2023, 2, 30)


@pytest.mark.parametrize("date", [(1, 1, 1), (1600, 2, 29), (1999, 12, 31), (2024, 7, 4)])
def test_to_ordinal_agrees_with_datetime(date):
    assert calendars.to_ordinal(*date) == datetime.date(*date).toordinal()


def test_to_ordinal_consecutive_years():
    assert calendars.to_ordinal(2001, 1, 1) - calendars.to_ordinal(2000, 1, 1) == 366
    assert calendars.to_ordinal(1901, 1, 1) - calendars.to_ordinal(1900, 1, 1) == 365


def test_from_ordinal_agrees_with_datetime():
    for number in (1, 366, 719163, 738000):
        date = datetime.date.fromordinal(number)
        assert calendars.from_ordinal(number) == (date.year, date.month, date.day)


def test_from_ordinal_inverse():
    for number in range(730000, 731500, 13):
        assert calendars.to_ordinal(*calendars.from_ordinal(number)) == number


def test_from_ordinal_year_ends():
    assert calendars.from_ordinal(calendars.to_ordinal(2023, 12, 31)) == (2023, 12, 31)
    assert calendars.from_ordinal(calendars.to_ordinal(2024, 12, 31)) == (2024, 12, 31)


def test_from_ordinal_rejects():
    with pytest.raises(ValueError):
        calendars.from_ordinal(0)


def test_add_days_default():
    assert calendars.add_days((2024, 2, 28)) == (2024, 2, 29)


def test_add_days_over_year():
    assert calendars.add_days((2023, 12, 31), 1) == (2024, 1, 1)


def test_add_days_back():
    assert calendars.add_days((2024, 3, 1), -1) == (2024, 2, 29)


def test_add_months():
    assert calendars.add_months((2024, 1, 15)) == (2024, 2, 15)


def test_add_months_shortens():
    assert calendars.add_months((2024, 1, 31), 1) == (2024, 2, 29)
    assert calendars.add_months((2023, 1, 31), 1) == (2023, 2, 28)


def test_add_months_over_year():
    assert calendars.add_months((2023, 11, 30), 3) == (2024, 2, 29)
    assert calendars.add_months((2023, 12, 1), 12) == (2024, 12, 1)


def test_add_months_back():
    assert calendars.add_months((2024, 1, 10), -1) == (2023, 12, 10)
    assert calendars.add_months((2024, 3, 31), -13) == (2023, 2, 28)


def test_days_between():
    assert calendars.days_between((2024, 1, 1), (2024, 12, 31)) == 365


def test_days_between_backwards():
    assert calendars.days_between((2024, 1, 10), (2024, 1, 1)) == -9


def test_days_between_absolute():
    assert calendars.days_between((2024, 1, 10), (2024, 1, 1), absolute=True) == 9
    assert calendars.days_between((2024, 1, 1), (2024, 1, 10), True) == 9


@pytest.mark.parametrize("date", [(2024, 7, 4), (2000, 1, 1), (1, 1, 1), (1969, 7, 20)])
def test_weekday(date):
    assert calendars.weekday(date) == datetime.date(*date).weekday()


def test_weekday_monday():
    assert calendars.weekday((2024, 9, 2)) == 0


def test_weekday_name():
    assert calendars.weekday_name((2024, 9, 1)) == "Sun"
    assert calendars.weekday_name((2024, 9, 2)) == "Mon"


def test_weekday_name_length():
    assert calendars.weekday_name((2024, 9, 3), length=2) == "Tu"


def test_next_weekday():
    assert calendars.next_weekday((2024, 9, 2), 4) == (2024, 9, 6)


def test_next_weekday_same_day():
    assert calendars.next_weekday((2024, 9, 2), 0) == (2024, 9, 9)


def test_next_weekday_include_today():
    assert calendars.next_weekday((2024, 9, 2), 0, include_today=True) == (2024, 9, 2)
    assert calendars.next_weekday((2024, 9, 3), 0, include_today=True) == (2024, 9, 9)


def test_next_weekday_rejects():
    for target in (7, -1):
        with pytest.raises(ValueError):
            calendars.next_weekday((2024, 9, 2), target)


def test_next_weekday_sunday():
    assert calendars.next_weekday((2024, 9, 2), 6) == (2024, 9, 8)


def test_workdays_week():
    assert calendars.workdays((2024, 9, 2), (2024, 9, 8)) == 5


def test_workdays_holiday():
    assert calendars.workdays((2024, 9, 2), (2024, 9, 6), holidays=[(2024, 9, 4)]) == 4


def test_workdays_weekend_only():
    assert calendars.workdays((2024, 9, 7), (2024, 9, 8)) == 0


def test_workdays_backwards():
    assert calendars.workdays((2024, 9, 6), (2024, 9, 2)) == 0


def test_workdays_single_day():
    assert calendars.workdays((2024, 9, 6), (2024, 9, 6)) == 1


def test_age_birthday():
    assert calendars.age((2000, 5, 20), (2024, 5, 20)) == 24


def test_age_before_birthday():
    assert calendars.age((2000, 5, 20), (2024, 5, 19)) == 23


def test_age_newborn():
    assert calendars.age((2024, 5, 20), (2024, 5, 20)) == 0


def test_age_rejects_future():
    with pytest.raises(ValueError):
        calendars.age((2025, 1, 1), (2024, 1, 1))


def test_parse_date():
    assert calendars.parse_date("2024-02-29") == (2024, 2, 29)


def test_parse_date_rejects_day():
    with pytest.raises(ValueError, match="no such day"):
        calendars.parse_date("2023-02-29")


def test_parse_date_rejects_form():
    with pytest.raises(ValueError, match="not a date"):
        calendars.parse_date("2023-02")


def test_format_date():
    assert calendars.format_date((2024, 2, 9)) == "2024-02-09"


def test_format_date_day_first():
    assert calendars.format_date((2024, 2, 9), separator=".", day_first=True) == "09.02.2024"


def test_format_date_early_year():
    assert calendars.format_date((33, 4, 3), "/") == "0033/04/03"


def test_date_round_trip():
    assert calendars.parse_date(calendars.format_date((1999, 12, 31))) == (1999, 12, 31)


def test_month_grid_shape():
    grid = calendars.month_grid(2024, 9)
    assert all(len(week) == 7 for week in grid)
    assert grid[0] == [0, 0, 0, 0, 0, 0, 1]
    assert grid[-1] == [30, 0, 0, 0, 0, 0, 0]


def test_month_grid_fits_exactly():
    assert calendars.month_grid(2021, 2) == [list(range(start, start + 7)) for start in (1, 8, 15, 22)]


def test_month_grid_days():
    days = [day for week in calendars.month_grid(2024, 2) for day in week if day]
    assert days == list(range(1, 30))
