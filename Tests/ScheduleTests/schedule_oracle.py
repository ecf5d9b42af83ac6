"""What schedules ask for, found minute by minute with Python's own time zones.

Reads one JSON object per line and writes one line for each:

    {"zone": "Europe/London", "from": 1767225600, "to": 1798761600, "schedules": ["30 1 * * *"]}
        for each schedule the moments at which it is due, after the first and up to the last: a list of lists
    {"zone": "Europe/London", "moments": [0, 1767225600]}
        the offset from UTC at each

The rule is told in another way than the program's: a clock is watched, minute after minute of universal time. A minute
that it shows for the first time is due if the schedule says so; minutes that it jumped over count for the one it came to.
"""

import json
import sys
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

MONTHS = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split()
WEEKDAYS = "SUN MON TUE WED THU FRI SAT".split()
EPOCH = datetime(1970, 1, 1)
MINUTE = timedelta(minutes=1)


def values(text, least, most, names=()):
    """The allowed values of a field, and whether it is a star."""
    found, star = set(), False
    for entry in text.split(","):
        extent, _, step = entry.partition("/")
        if extent in ("*", "?"):
            first, last = least, most
            star = star or step in ("", "1")
        else:
            ends = [names.index(end.upper()) + least if end.upper() in names else int(end) for end in extent.split("-")]
            first, last = ends[0], ends[-1]
            if step and len(ends) == 1:
                last = most
        found |= set(range(first, last + 1, int(step or 1)))
    return found, star


class Schedule:
    def __init__(self, text):
        minute, hour, day, month, weekday = text.split()
        self.minutes, _ = values(minute, 0, 59)
        self.hours, _ = values(hour, 0, 23)
        self.days, self.any_day = values(day, 1, 31)
        self.months, _ = values(month, 1, 12, MONTHS)
        self.weekdays, self.any_weekday = values(weekday, 0, 6, WEEKDAYS)

    def allows(self, minute, hour, clock):
        if minute not in self.minutes or hour not in self.hours or clock.month not in self.months:
            return False
        day = clock.day in self.days
        weekday = clock.isoweekday() % 7 in self.weekdays
        return day and weekday if self.any_day or self.any_weekday else day or weekday


def watch(zone, first, last):
    """Each moment after the first at which the clock shows a minute for the first time, and what it passed to get there."""
    shown = None
    # Long enough before to know what has been shown already.
    for moment in range(first - 3 * 86400, last + 1, 60):
        clock = datetime.fromtimestamp(moment, zone).replace(tzinfo=None)
        if shown is not None and clock <= shown:
            continue
        passed = [clock] if shown is None else [shown + MINUTE * n for n in range(1, (clock - shown) // MINUTE + 1)]
        shown = clock
        if moment > first:
            yield moment, passed


def due(question):
    zone = ZoneInfo(question["zone"])
    schedules = [Schedule(text) for text in question["schedules"]]
    found = [[] for _ in schedules]
    for moment, passed in watch(zone, question["from"], question["to"]):
        for clock in passed:
            minute, hour = clock.minute, clock.hour
            for schedule, moments in zip(schedules, found):
                # Whatever was passed is due once.
                if schedule.allows(minute, hour, clock) and moments[-1:] != [moment]:
                    moments.append(moment)
    return found


def offsets(question):
    zone = ZoneInfo(question["zone"])
    result = []
    for moment in question["moments"]:
        clock = (datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(seconds=moment)).astimezone(zone)
        result.append(round(clock.utcoffset().total_seconds()))
    return result


for line in sys.stdin:
    question = json.loads(line)
    print(json.dumps(due(question) if "schedules" in question else offsets(question)), flush=True)
