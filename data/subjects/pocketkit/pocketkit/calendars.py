"""Calendar arithmetic on (year, month, day) triples of the proleptic Gregorian calendar."""

MONTH_LENGTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def is_leap(year):
    """Whether a year has 366 days."""
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def month_length(year, month):
    """Number of days in a month."""
    if not 1 <= month <= 12:
        raise ValueError("month must be from 1 to 12")
    if month == 2 and is_leap(year):
        return 29
    return MONTH_LENGTHS[month - 1]


def is_valid(year, month, day):
    """Whether the triple names a day."""
    if year < 1 or month < 1 or month > 12:
        return False
    return 1 <= day <= month_length(year, month)


def day_of_year(year, month, day):
    """Number of the day within its year, from 1."""
    if not is_valid(year, month, day):
        raise ValueError("no such day")
    total = day
    for earlier in range(1, month):
        total += month_length(year, earlier)
    return total


def to_ordinal(year, month, day):
    """Days since the day before 1 January of year 1."""
    before = year - 1
    leaps = before // 4 - before // 100 + before // 400
    return before * 365 + leaps + day_of_year(year, month, day)


def from_ordinal(number):
    """The day with an ordinal; the inverse of `to_ordinal`."""
    if number < 1:
        raise ValueError("days are counted from 1")
    year = number // 366 + 1
    while to_ordinal(year + 1, 1, 1) <= number:
        year += 1
    rest = number - to_ordinal(year, 1, 1) + 1
    month = 1
    while rest > month_length(year, month):
        rest -= month_length(year, month)
        month += 1
    return (year, month, rest)


def add_days(date, days=1):
    """The day some days later, or earlier if negative."""
    return from_ordinal(to_ordinal(*date) + days)


def add_months(date, months=1):
    """The same day some months later; shortened to the month's last day when there is none."""
    year, month, day = date
    index = year * 12 + (month - 1) + months
    year, month = index // 12, index % 12 + 1
    return (year, month, min(day, month_length(year, month)))


def days_between(first, second, absolute=False):
    """Days from the first day to the second."""
    difference = to_ordinal(*second) - to_ordinal(*first)
    if absolute and difference < 0:
        return -difference
    return difference


def weekday(date):
    """Number of the weekday, Monday 0."""
    return (to_ordinal(*date) + 6) % 7


def weekday_name(date, length=3):
    """Short English name of the weekday."""
    return WEEKDAYS[weekday(date)][:length]


def next_weekday(date, target, include_today=False):
    """The next day that falls on a weekday (Monday 0)."""
    if not 0 <= target <= 6:
        raise ValueError("weekdays run from 0 to 6")
    ahead = (target - weekday(date)) % 7
    if ahead == 0 and not include_today:
        ahead = 7
    return add_days(date, ahead)


def workdays(first, last, holidays=()):
    """Number of days from first to last, both counted, that are neither weekend nor holiday."""
    count = 0
    current = first
    while current <= last:
        if weekday(current) < 5 and current not in holidays:
            count += 1
        current = add_days(current)
    return count


def age(born, today):
    """Full years between two days."""
    years = today[0] - born[0]
    if today[1:] < born[1:]:
        years -= 1
    if years < 0:
        raise ValueError("not born yet")
    return years


def parse_date(text):
    """Read `YYYY-MM-DD`."""
    parts = text.split("-")
    if len(parts) != 3:
        raise ValueError(f"not a date: {text}")
    year, month, day = (int(part) for part in parts)
    if not is_valid(year, month, day):
        raise ValueError(f"no such day: {text}")
    return (year, month, day)


def format_date(date, separator="-", day_first=False):
    """Write a date with leading zeros."""
    year, month, day = date
    parts = [f"{year:04d}", f"{month:02d}", f"{day:02d}"]
    if day_first:
        parts.reverse()
    return separator.join(parts)


def month_grid(year, month):
    """Weeks of a month, Monday first, with 0 for days of other months."""
    week = [0] * weekday((year, month, 1))
    weeks = []
    for day in range(1, month_length(year, month) + 1):
        week.append(day)
        if len(week) == 7:
            weeks.append(week)
            week = []
    if week:
        weeks.append(week + [0] * (7 - len(week)))
    return weeks
