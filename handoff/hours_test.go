package handoff_test

import (
	"testing"
	"time"

	"wensheng/handoff"
)

func TestHours_OpenAndNext(t *testing.T) {
	t.Parallel()
	const sh, berlin, ny = "Asia/Shanghai", "Europe/Berlin", "America/New_York"
	tests := []struct {
		name, tz, weekly string
		at, next         string // wall clock of the zone; next "" = open
	}{
		{"every day, before", sh, "Mon-Sun 09:00-21:00", "2026-11-21 08:59", "2026-11-21 09:00"},
		{"every day, first minute", sh, "Mon-Sun 09:00-21:00", "2026-11-21 09:00", ""},
		{"every day, last minute", sh, "Mon-Sun 09:00-21:00", "2026-11-21 20:59", ""},
		{"every day, end", sh, "Mon-Sun 09:00-21:00", "2026-11-21 21:00", "2026-11-22 09:00"},
		{"lunch", sh, "Mon-Fri 09:00-12:00,13:30-18:00; Sat 10:00-16:00", "2026-11-20 12:15", "2026-11-20 13:30"},
		{"friday evening", sh, "Mon-Fri 09:00-12:00,13:30-18:00; Sat 10:00-16:00", "2026-11-20 18:00", "2026-11-21 10:00"},
		{"saturday evening", sh, "Mon-Fri 09:00-12:00,13:30-18:00; Sat 10:00-16:00", "2026-11-21 16:00", "2026-11-23 09:00"},
		{"whole day", sh, "00:00-24:00", "2026-11-21 23:59", ""},
		{"without days", sh, "09:00-18:00", "2026-11-22 08:00", "2026-11-22 09:00"},
		{"overnight, evening", sh, "Fri 22:00-02:00", "2026-11-20 23:00", ""},
		{"overnight, morning after", sh, "Fri 22:00-02:00", "2026-11-21 01:59", ""},
		{"overnight, over", sh, "Fri 22:00-02:00", "2026-11-21 02:00", "2026-11-27 22:00"},
		{"overnight into sunday", sh, "Sat 22:00-02:00", "2026-11-22 01:00", ""},
		{"until midnight", sh, "Fri 18:00-00:00", "2026-11-21 00:00", "2026-11-27 18:00"},
		{"days around the week", sh, "Fri-Mon 09:00-10:00", "2026-11-24 09:30", "2026-11-27 09:00"},
		{"list of days", sh, "Tue,Thu 09:00-10:00", "2026-11-24 10:00", "2026-11-26 09:00"},
		{"a week on", sh, "Sat 10:00-11:00", "2026-11-21 11:00", "2026-11-28 10:00"},
		{"default zone", "", "Mon-Sun 09:00-21:00", "2026-11-21 08:59", "2026-11-21 09:00"},
		{"clock forward, opening swallowed", berlin, "02:30-04:00", "2026-03-29 01:00", "2026-03-29 03:00"},
		{"clock forward, all swallowed", berlin, "02:00-03:00", "2026-03-29 01:30", "2026-03-30 02:00"},
		{"clock back, second two o'clock", berlin, "02:00-03:00", "2026-10-25 02:30", ""},
		{"day of the change", ny, "Mon-Sun 09:00-17:00", "2026-03-08 08:59", "2026-03-08 09:00"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h, err := handoff.ParseHours(tt.tz, tt.weekly)
			if err != nil {
				t.Fatalf("ParseHours: %v", err)
			}
			zone := tt.tz
			if zone == "" {
				zone = sh
			}
			loc, err := time.LoadLocation(zone)
			if err != nil {
				t.Fatal(err)
			}
			at, err := time.ParseInLocation("2006-01-02 15:04", tt.at, loc)
			if err != nil {
				t.Fatal(err)
			}
			at = at.UTC() // the zone of the argument does not matter
			if got, want := h.Open(at), tt.next == ""; got != want {
				t.Errorf("Open: got %t, want %t", got, want)
			}
			want := tt.next
			if want == "" {
				want = tt.at
			}
			if got := h.Next(at).In(loc).Format("2006-01-02 15:04"); got != want {
				t.Errorf("Next: got %s, want %s", got, want)
			}
			if !h.Open(h.Next(at)) {
				t.Error("Next is not open")
			}
		})
	}
}

func TestHours_NilIsAlwaysOpen(t *testing.T) {
	t.Parallel()
	h, err := handoff.ParseHours("Asia/Shanghai", "  ")
	if err != nil || h != nil {
		t.Fatalf("got %v, %v, want nil", h, err)
	}
	now := time.Date(2026, 1, 1, 3, 0, 0, 0, time.UTC)
	if !h.Open(now) || !h.Next(now).Equal(now) {
		t.Error("nil hours are closed")
	}
}

func TestHours_RefusesWhatItCannotRead(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ tz, weekly string }{
		{"Mars/Olympus", "09:00-21:00"},
		{"", "Mon-Fri"},
		{"", "Mon-Fri 9-18"},
		{"", "Mon-Fri 09:00"},
		{"", "Mon-Fri 09:00-25:00"},
		{"", "Mon-Fri 09:60-10:00"},
		{"", "Mon-Fri 24:30-10:00"},
		{"", "Funday 09:00-10:00"},
		{"", "09:00-09:00"},
		{"", "24:00-10:00"},
		{"", ";;"},
		{"", "Mon-Fri 09:00-12:00,"},
		{"", "Mon-Fri +9:00-12:00"},
	} {
		if h, err := handoff.ParseHours(tt.tz, tt.weekly); err == nil {
			t.Errorf("%q %q: got %+v, want an error", tt.tz, tt.weekly, h)
		}
	}
}
