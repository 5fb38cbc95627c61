package handoff_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wensheng/handoff"
)

func (f fixture) present(t *testing.T, id string, s handoff.Status, capacity int, groups ...string) {
	t.Helper()
	err := f.SetPresence(t.Context(), handoff.Agent{ID: id, Name: "N " + id, Status: s, Groups: groups, Capacity: capacity})
	if err != nil {
		t.Fatalf("SetPresence: %v", err)
	}
}

func (f fixture) assign(t *testing.T) map[string]int {
	t.Helper()
	given, err := f.Assign(t.Context())
	if err != nil {
		t.Fatalf("Assign: %v", err)
	}
	share := map[string]int{}
	for _, l := range given {
		share[l.Agent]++
	}
	return share
}

func TestPresence_StopsWithTheHeartbeat(t *testing.T) {
	t.Parallel()
	f := startDesk(t)
	ctx := t.Context()
	f.present(t, "a", handoff.Online, 5, "kf")
	f.present(t, "b", handoff.Away, 5, "kf")
	status := func() map[string]handoff.Status {
		agents, err := f.Agents(ctx)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]handoff.Status{}
		for _, a := range agents {
			got[a.ID] = a.Status
		}
		return got
	}
	if diff := cmp.Diff(map[string]handoff.Status{"a": handoff.Online, "b": handoff.Away}, status()); diff != "" {
		t.Errorf("at first (-want +got):\n%s", diff)
	}
	if n, err := f.Staffed(ctx, "kf"); err != nil || n != 1 {
		t.Errorf("Staffed: got %d, %v, want 1", n, err)
	}
	f.clock.Add(50 * time.Second)
	if err := f.Heartbeat(ctx, "b"); err != nil {
		t.Fatal(err)
	}
	if err := f.Heartbeat(ctx, "stranger"); err != nil {
		t.Fatal(err)
	}
	f.clock.Add(11 * time.Second)
	if diff := cmp.Diff(map[string]handoff.Status{"a": handoff.Offline, "b": handoff.Away}, status()); diff != "" {
		t.Errorf("after a's heartbeat stopped (-want +got):\n%s", diff)
	}
	if err := f.Heartbeat(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]handoff.Status{"a": handoff.Online, "b": handoff.Away}, status()); diff != "" {
		t.Errorf("after it came back (-want +got):\n%s", diff)
	}
}

func TestAssign_SharesOutWithinCapacity(t *testing.T) {
	t.Parallel()
	f := startDesk(t)
	f.present(t, "a", handoff.Online, 5, "auto")
	f.present(t, "b", handoff.Online, 2, "auto", "kf")
	f.present(t, "c", handoff.Online, 5, "kf")
	f.present(t, "busy", handoff.Busy, 5, "auto")
	f.present(t, "gone", handoff.Offline, 5, "auto")
	for i := range 4 {
		f.enqueue(t, f.pkg(conv(i), "auto", handoff.P2))
	}
	f.enqueue(t, f.pkg(conv(50), "kf", handoff.P2)) // not an automatic group
	if diff := cmp.Diff(map[string]int{"a": 2, "b": 2}, f.assign(t)); diff != "" {
		t.Errorf("first round (-want +got):\n%s", diff)
	}
	for i := range 5 {
		f.enqueue(t, f.pkg(conv(10+i), "auto", handoff.P2))
	}
	if diff := cmp.Diff(map[string]int{"a": 3}, f.assign(t)); diff != "" {
		t.Errorf("second round, b is full (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]int{}, f.assign(t)); diff != "" {
		t.Errorf("third round, all are full (-want +got):\n%s", diff)
	}
	if got := f.order(t, "auto"); len(got) != 2 {
		t.Errorf("still waiting: got %d, want 2", len(got))
	}
}

func TestAssign_TakesTurnsAmongEquals(t *testing.T) {
	t.Parallel()
	f := startDesk(t)
	for _, a := range []string{"a", "b", "c"} {
		f.present(t, a, handoff.Online, 9, "auto")
	}
	share := map[string]int{}
	for i := range 6 {
		f.enqueue(t, f.pkg(conv(i), "auto", handoff.P2))
		given, err := f.Assign(t.Context())
		if err != nil || len(given) != 1 {
			t.Fatalf("Assign: got %+v, %v", given, err)
		}
		share[given[0].Agent]++
		if err := f.Finish(t.Context(), given[0]); err != nil { // everybody is idle again
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(map[string]int{"a": 2, "b": 2, "c": 2}, share); diff != "" {
		t.Errorf("share (-want +got):\n%s", diff)
	}
}

func TestAssign_NotAcceptedGoesBackAndSetsAway(t *testing.T) {
	t.Parallel()
	f := startDesk(t)
	f.present(t, "a", handoff.Online, 5, "auto")
	f.enqueue(t, f.pkg(conv(1), "auto", handoff.P2))
	f.assign(t)
	f.clock.Add(29 * time.Second)
	if gone, err := f.Expired(t.Context()); err != nil || len(gone) != 0 {
		t.Fatalf("Expired before the accept timeout: got %+v, %v", gone, err)
	}
	f.clock.Add(time.Second)
	gone, err := f.Expired(t.Context())
	if err != nil || len(gone) != 1 {
		t.Fatalf("Expired: got %+v, %v", gone, err)
	}
	if agents, err := f.Agents(t.Context()); err != nil || agents[0].Status != handoff.Away {
		t.Errorf("the agent: got %+v, %v, want him away", agents, err)
	}
	if err := f.Requeue(t.Context(), gone[0], true); err != nil {
		t.Fatal(err)
	}
	if share := f.assign(t); len(share) != 0 {
		t.Errorf("assigned to %v, want nobody", share)
	}
}

func TestAvoid_AnotherAgentGetsIt(t *testing.T) {
	t.Parallel()
	f := startDesk(t)
	ctx := t.Context()
	f.present(t, "a", handoff.Online, 5, "auto", "kf")
	f.present(t, "b", handoff.Online, 1, "auto", "kf")
	p := f.pkg(conv(1), "auto", handoff.P2)
	p.Avoid = "a"
	f.enqueue(t, p)
	if diff := cmp.Diff(map[string]int{"b": 1}, f.assign(t)); diff != "" {
		t.Errorf("assigned (-want +got):\n%s", diff)
	}
	p = f.pkg(conv(2), "kf", handoff.P2)
	p.Avoid = "a"
	f.enqueue(t, p)
	if _, _, err := f.Claim(ctx, "a", nil, ""); err == nil {
		t.Error("the avoided agent got it as the next one")
	}
	if _, _, err := f.Claim(ctx, "a", nil, p.Conv); err == nil {
		t.Error("the avoided agent got it by name")
	}
	f.present(t, "b", handoff.Away, 1, "auto", "kf")
	if _, _, err := f.Claim(ctx, "a", nil, ""); err != nil {
		t.Errorf("the only agent there: %v", err)
	}
}

func TestNotes_ReachEverySubscriber(t *testing.T) {
	t.Parallel()
	f := startDesk(t)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	notes := make(chan handoff.Note, 100)
	cancel := f.Subscribe(func(n handoff.Note) { notes <- n })
	go func() { done <- f.Run(ctx) }()
	next := func() handoff.Note {
		t.Helper()
		select {
		case n := <-notes:
			return n
		case <-time.After(20 * time.Second):
			t.Fatal("no note came")
			return handoff.Note{}
		}
	}
	for _, want := range []string{handoff.NoteQueue, handoff.NotePresence} { // subscribed
		if n := next(); n != (handoff.Note{T: want}) {
			t.Errorf("at the start: got %+v, want a bare %s", n, want)
		}
	}
	c := conv(1)
	f.enqueue(t, f.pkg(c, "kf", handoff.P2))
	l := f.claim(t, "a", "kf", c)
	f.clock.Add(time.Hour)
	if err := f.Requeue(ctx, l, true); err != nil {
		t.Fatal(err)
	}
	f.present(t, "a", handoff.Online, 1, "kf")
	f.present(t, "a", handoff.Online, 1, "kf") // a heartbeat is no news
	f.present(t, "a", handoff.Busy, 1, "kf")
	for _, want := range []handoff.Note{
		{T: handoff.NoteQueue, Conv: c, Group: "kf"},
		{T: handoff.NoteAssigned, Conv: c, Group: "kf", Agent: "a"},
		{T: handoff.NoteQueue, Conv: c, Group: "kf"},
		{T: handoff.NoteLost, Conv: c, Group: "kf", Agent: "a"},
		{T: handoff.NotePresence, Agent: "a"},
		{T: handoff.NotePresence, Agent: "a"},
	} {
		if n := next(); n != want {
			t.Errorf("got %+v, want %+v", n, want)
		}
	}
	cancel()
	stop()
	if err := <-done; err != nil {
		t.Errorf("Run: %v", err)
	}
}
