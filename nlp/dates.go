package nlp

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Resolve counts an entity's relative date from a day: 2026-11-03 for a day,
// 2026-11 for a month, 2026-11-16/2026-11-22 for a week. A date without its
// year, or its month, is the last such day up to the given one, because people
// report what happened; with ahead it is the next one from it. A day the month
// does not have is its last. What is absolute already, or not a date, and
// everything when day is zero, stays as it is.
func Resolve(value string, day time.Time, ahead bool) string {
	if day.IsZero() || len(value) < 3 {
		return value
	}
	y, m, d := day.Date()
	day = date(y, m, d)
	switch value[0] {
	case '-':
		return withoutYear(value, day, ahead)
	case 'D', 'W', 'M', 'Y':
	default:
		return value
	}
	if value[1] != '-' && value[1] != '+' {
		return value
	}
	rest := value[2:]
	n, rest, more := strings.Cut(rest, "-")
	count, err := strconv.Atoi(n)
	if err != nil {
		return value
	}
	if value[1] == '-' {
		count = -count
	}
	switch value[0] {
	case 'D':
		return day.AddDate(0, 0, count).Format(time.DateOnly)
	case 'W':
		monday := day.AddDate(0, 0, -(int(day.Weekday())+6)%7+7*count)
		if !more {
			return monday.Format(time.DateOnly) + "/" + monday.AddDate(0, 0, 6).Format(time.DateOnly)
		}
		k, err := strconv.Atoi(rest)
		if err != nil {
			return value
		}
		return monday.AddDate(0, 0, k-1).Format(time.DateOnly)
	case 'M':
		first := date(y, m+time.Month(count), 1)
		if !more {
			return first.Format("2006-01")
		}
		return inMonth(first, rest, value)
	default:
		return fmt.Sprintf("%04d-%s", y+count, rest)
	}
}

func date(y int, m time.Month, d int) time.Time {
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}

// inMonth is the day of the month that begins at first, or its last day.
func inMonth(first time.Time, day, otherwise string) string {
	d, err := strconv.Atoi(day)
	if err != nil {
		return otherwise
	}
	last := first.AddDate(0, 1, -1)
	return date(first.Year(), first.Month(), min(d, last.Day())).Format(time.DateOnly)
}

// withoutYear resolves --03-01, --03 and ---15.
func withoutYear(value string, day time.Time, ahead bool) string {
	step := -1
	if ahead {
		step = 1
	}
	late := func(s, than string) bool { return ahead && s < than || !ahead && s > than }
	y, m, _ := day.Date()
	if d, ok := strings.CutPrefix(value, "---"); ok {
		s := inMonth(date(y, m, 1), d, value)
		if late(s, day.Format(time.DateOnly)) {
			s = inMonth(date(y, m+time.Month(step), 1), d, value)
		}
		return s
	}
	md := strings.TrimPrefix(value, "--")
	s := fmt.Sprintf("%04d-%s", y, md)
	if late(s, day.Format(time.DateOnly)[:len(s)]) {
		s = fmt.Sprintf("%04d-%s", y+step, md)
	}
	return s
}
