package config

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// normalWeekly checks weekly hours and returns them in the one form that the
// desk reads: parts separated by ";", times within a part by ",". A part may
// also be set off by a comma before its day, "Mon-Fri 09:00-18:00, Sat
// 10:00-16:00", as people write it.
func normalWeekly(s string) (string, error) {
	var parts []string
	for part := range strings.SplitSeq(s, ";") {
		for _, piece := range splitDays(part) {
			if piece = strings.Join(strings.Fields(piece), " "); piece == "" {
				continue
			}
			days, times := "", piece
			if piece[0] < '0' || piece[0] > '9' {
				var ok bool
				if days, times, ok = strings.Cut(piece, " "); !ok {
					return s, fmt.Errorf("%q: want days, a space and times, such as Mon-Fri 09:00-18:00", piece)
				}
				if err := checkDays(days); err != nil {
					return s, err
				}
				days += " "
			}
			var ranges []string
			for r := range strings.SplitSeq(times, ",") {
				r = strings.TrimSpace(r)
				if err := checkRange(r); err != nil {
					return s, err
				}
				ranges = append(ranges, r)
			}
			parts = append(parts, days+strings.Join(ranges, ","))
		}
	}
	if len(parts) == 0 && strings.TrimSpace(s) != "" {
		return s, errors.New("says no hours")
	}
	return strings.Join(parts, "; "), nil
}

// splitDays cuts a part at the commas that stand between times and a day.
func splitDays(part string) []string {
	var out []string
	current := ""
	for piece := range strings.SplitSeq(part, ",") {
		trimmed := strings.TrimSpace(piece)
		startsWithDay := trimmed != "" && (trimmed[0] < '0' || trimmed[0] > '9')
		if startsWithDay && strings.ContainsAny(current, "0123456789") {
			out = append(out, current)
			current = piece
			continue
		}
		if current != "" {
			current += ","
		}
		current += piece
	}
	return append(out, current)
}

func checkDays(names string) error {
	week := []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}
	for name := range strings.SplitSeq(names, ",") {
		first, last, isRange := strings.Cut(name, "-")
		if !isRange {
			last = first
		}
		for _, day := range []string{first, last} {
			if !slices.Contains(week, strings.ToLower(day)) {
				return fmt.Errorf("%q is not a day: use Mon Tue Wed Thu Fri Sat Sun", day)
			}
		}
	}
	return nil
}

func checkRange(r string) error {
	first, last, ok := strings.Cut(r, "-")
	from, err1 := minuteOf(first)
	to, err2 := minuteOf(last)
	switch {
	case !ok || err1 != nil || err2 != nil:
		return fmt.Errorf("%q is not a range such as 09:00-18:00", r)
	case from == to || from == 24*60:
		return fmt.Errorf("%q is empty: a whole day is 00:00-24:00", r)
	}
	return nil
}

func minuteOf(s string) (int, error) {
	hh, mm, ok := strings.Cut(strings.TrimSpace(s), ":")
	hour, err1 := strconv.ParseUint(hh, 10, 8)
	minute, err2 := strconv.ParseUint(mm, 10, 8)
	if !ok || len(mm) != 2 || len(hh) > 2 || err1 != nil || err2 != nil || minute > 59 || hour > 24 || hour == 24 && minute > 0 {
		return 0, errors.New("not a time")
	}
	return int(hour)*60 + int(minute), nil
}
