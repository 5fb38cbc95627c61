package handoff

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Hours are a group's weekly working hours in a time zone. A nil *Hours is
// always open. An Hours is immutable and safe for concurrent use.
type Hours struct {
	loc *time.Location
	// week holds the open spans of each weekday in minutes of the wall clock.
	week [7][]span
}

// span is [from, to) in minutes since noon, 0 ≤ from < to ≤ 1440.
type span struct{ from, to int }

const dayMinutes = 24 * 60

// weekdays in the order a range such as Fri-Mon runs.
var weekdays = [7]string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// ParseHours reads weekly hours such as
//
//	Mon-Sun 09:00-21:00
//	Mon-Fri 09:00-12:00,13:30-18:00; Sat 10:00-16:00
//	Sat,Sun 22:00-02:00
//	00:00-24:00
//
// Parts are separated by ";", a part without days means every day, a range
// that ends before it begins runs into the next day. tz is an IANA name; empty
// is Asia/Shanghai. An empty weekly is always open: nil, without an error.
func ParseHours(tz, weekly string) (*Hours, error) {
	if tz == "" {
		tz = "Asia/Shanghai"
	}
	loc, err := time.LoadLocation(tz)
	if err != nil {
		return nil, fmt.Errorf("hours: time zone %q: %w", tz, err)
	}
	if strings.TrimSpace(weekly) == "" {
		return nil, nil //nolint:nilnil // a nil *Hours means always open
	}
	h := &Hours{loc: loc}
	for part := range strings.SplitSeq(weekly, ";") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		if err := h.add(part); err != nil {
			return nil, fmt.Errorf("hours: %q: %w", part, err)
		}
	}
	for _, spans := range h.week {
		if len(spans) > 0 {
			return h, nil
		}
	}
	return nil, fmt.Errorf("hours: %q is never open", weekly)
}

// add reads one part: days, if any, then times.
func (h *Hours) add(part string) error {
	days := [7]bool{true, true, true, true, true, true, true}
	times := part
	if first := part[0]; first < '0' || first > '9' {
		names, rest, ok := strings.Cut(part, " ")
		if !ok {
			return errors.New("want days, a space and times, such as Mon-Fri 09:00-18:00")
		}
		var err error
		if days, err = parseDays(names); err != nil {
			return err
		}
		times = rest
	}
	for r := range strings.SplitSeq(times, ",") {
		from, to, err := parseRange(strings.TrimSpace(r))
		if err != nil {
			return err
		}
		for day, on := range days {
			switch next := (day + 1) % 7; {
			case !on:
			case from < to:
				h.week[day] = append(h.week[day], span{from, to})
			default: // overnight
				h.week[day] = append(h.week[day], span{from, dayMinutes})
				if to > 0 {
					h.week[next] = append(h.week[next], span{0, to})
				}
			}
		}
	}
	return nil
}

func parseDays(names string) (days [7]bool, err error) {
	for name := range strings.SplitSeq(names, ",") {
		first, last, isRange := strings.Cut(name, "-")
		from, err := parseDay(first)
		if err != nil {
			return days, err
		}
		to := from
		if isRange {
			if to, err = parseDay(last); err != nil {
				return days, err
			}
		}
		for day := from; ; day = (day + 1) % 7 {
			days[day] = true
			if day == to {
				break
			}
		}
	}
	return days, nil
}

func parseDay(name string) (int, error) {
	name = strings.ToLower(strings.TrimSpace(name))
	for i, w := range weekdays {
		if name == w {
			return i, nil
		}
	}
	return 0, fmt.Errorf("%q is not a day: use Mon Tue Wed Thu Fri Sat Sun", name)
}

func parseRange(r string) (from, to int, err error) {
	first, last, ok := strings.Cut(r, "-")
	if !ok {
		return 0, 0, fmt.Errorf("%q is not a range: use 09:00-18:00", r)
	}
	if from, err = parseMinute(first); err != nil {
		return 0, 0, err
	}
	if to, err = parseMinute(last); err != nil {
		return 0, 0, err
	}
	if from == to || from == dayMinutes {
		return 0, 0, fmt.Errorf("%q is empty: a whole day is 00:00-24:00", r)
	}
	return from, to, nil
}

func parseMinute(s string) (int, error) {
	s = strings.TrimSpace(s)
	hh, mm, ok := strings.Cut(s, ":")
	if ok && len(mm) == 2 && len(hh) >= 1 && len(hh) <= 2 {
		hour, err1 := strconv.ParseUint(hh, 10, 8)
		minute, err2 := strconv.ParseUint(mm, 10, 8)
		if err1 == nil && err2 == nil && minute < 60 && (hour < 24 || hour == 24 && minute == 0) {
			return int(hour)*60 + int(minute), nil
		}
	}
	return 0, fmt.Errorf("%q is not a time from 00:00 to 24:00", s)
}

// Open reports whether t is within the hours. It follows the wall clock of the
// zone: a group open from 01:00 to 03:00 is open one hour less or more when the
// clock is changed in between.
func (h *Hours) Open(t time.Time) bool {
	if h == nil {
		return true
	}
	t = t.In(h.loc)
	minute := t.Hour()*60 + t.Minute()
	for _, s := range h.week[t.Weekday()] {
		if minute >= s.from && minute < s.to {
			return true
		}
	}
	return false
}

// Next returns the first moment at or after t that is within the hours, in the
// hours' zone; t itself when they are open.
func (h *Hours) Next(t time.Time) time.Time {
	if h == nil || h.Open(t) {
		return t
	}
	local := t.In(h.loc)
	year, month, day := local.Date()
	for ahead := range 9 { // a week, and one more when today's opening does not exist
		noon := time.Date(year, month, day+ahead, 12, 0, 0, 0, h.loc)
		var best time.Time
		for _, s := range h.week[noon.Weekday()] {
			start := opening(noon, s, h.loc)
			if start.IsZero() || start.Before(t) {
				continue
			}
			if best.IsZero() || start.Before(best) {
				best = start
			}
		}
		if !best.IsZero() {
			return best
		}
	}
	return t
}

// opening is when a span begins on the day of noon; zero when a change of the
// clock swallows it whole. Where the change swallows its beginning only, the
// span begins when the clock has jumped.
func opening(noon time.Time, s span, loc *time.Location) time.Time {
	year, month, day := noon.Date()
	for minute := s.from; minute < s.to; minute++ {
		t := time.Date(year, month, day, minute/60, minute%60, 0, 0, loc)
		if t.Hour()*60+t.Minute() == minute && t.Day() == noon.Day() {
			return t
		}
	}
	return time.Time{}
}
