package intake

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"wensheng/internal/chat"
)

// fakeStore records what replies settle; everything else is not called.
type fakeStore struct {
	chat.Store
	mu      sync.Mutex
	settled []chat.MessageID
	retried []string
}

func (f *fakeStore) SetSent(_ context.Context, list []chat.Sent) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range list {
		f.settled = append(f.settled, m.Message)
	}
	return nil
}

func (f *fakeStore) Retry(_ context.Context, _ chat.ConvID, effect string, _ time.Time, _ bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.retried = append(f.retried, effect)
	return nil
}

func bare(f *fakeStore) *Intake {
	return &Intake{o: Options{Store: f, Clock: time.Now, Logger: slog.New(slog.DiscardHandler)}}
}

// waitingReply is the callback of message "in", which a turn is to answer.
func waitingReply(i *Intake) *reply {
	return i.expect(chat.Accepted{Conv: "c", Message: chat.Message{ID: "in"}}, time.Now().Add(time.Hour))
}

func TestDrain_WaitsUntilInlineAnswersAreSettled(t *testing.T) {
	t.Parallel()
	f := &fakeStore{}
	i := bare(f)
	r := waitingReply(i)
	if i.claimReply("in") != r {
		t.Fatal("the callback was not claimed")
	}
	r.finish([]chat.Message{{ID: "out"}})
	drained := make(chan error, 1)
	go func() { drained <- i.Drain(t.Context()) }()
	if got := r.Wait(t.Context()); len(got) != 1 || got[0].ID != "out" {
		t.Fatalf("waited for %v", got)
	}
	select {
	case <-drained:
		t.Fatal("drained before it was known whether the answer arrived")
	default:
	}
	r.Written(nil)
	if err := <-drained; err != nil {
		t.Fatal(err)
	}
	if len(f.settled) != 1 || f.settled[0] != "out" {
		t.Errorf("settled %v, want the answer", f.settled)
	}
}

func TestReply_NotWrittenIsDueAgain(t *testing.T) {
	t.Parallel()
	f := &fakeStore{}
	i := bare(f)
	r := waitingReply(i)
	i.claimReply("in").finish([]chat.Message{{ID: "out"}})
	r.Wait(t.Context())
	r.Written(errors.New("the vendor hung up"))
	if err := i.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(f.settled) != 0 || len(f.retried) != 1 {
		t.Errorf("settled %v, put off %v", f.settled, f.retried)
	}
}

func TestReply_OneOfTurnAndWaiterWins(t *testing.T) {
	t.Parallel()
	i := bare(&fakeStore{})
	gone, cancel := context.WithCancel(t.Context())
	cancel()

	r := waitingReply(i)
	if got := r.Wait(gone); got != nil {
		t.Errorf("gave up with %v", got)
	}
	if i.claimReply("in") != nil {
		t.Error("the turn claimed a callback that is gone")
	}

	// Promised, but the response was cut off first: the sweeper sends them.
	r = waitingReply(i)
	i.claimReply("in")
	if got := r.Wait(gone); got != nil {
		t.Errorf("gave up with %v", got)
	}
	r.finish([]chat.Message{{ID: "out"}})
	if err := i.Drain(t.Context()); err != nil {
		t.Errorf("an answer nobody waits for blocks the shutdown: %v", err)
	}
}

func TestLanes_KeepTheOrderOfEntering(t *testing.T) {
	t.Parallel()
	var l lanes
	send := []chat.Effect{{Kind: chat.EffectSend}}
	var order []int
	var places []*place
	for range 50 {
		places = append(places, l.enter("c", send))
	}
	var wg sync.WaitGroup
	for n := len(places) - 1; n >= 0; n-- {
		wg.Go(func() {
			defer places[n].leave()
			places[n].wait()
			order = append(order, n) // the lane is the lock
		})
	}
	wg.Wait()
	for n, got := range order {
		if n != got {
			t.Fatalf("left in the order %v", order)
		}
	}
	if len(l.last) != 0 {
		t.Errorf("%d lanes are kept", len(l.last))
	}
	if l.enter("c", []chat.Effect{{Kind: chat.EffectEnqueue}}) != nil {
		t.Error("the queue does not wait in line")
	}
}

func TestJoinParts_ReadsPiecesAsOne(t *testing.T) {
	t.Parallel()
	in := []chat.Message{
		{ID: "1", Kind: chat.KindText, Text: "前", Event: eventPart},
		{ID: "2", Kind: chat.KindText, Text: "中", Event: eventPart},
		{ID: "3", Kind: chat.KindText, Text: "后"},
		{ID: "4", Kind: chat.KindText, Text: "另一条"},
		{ID: "5", Kind: chat.KindText, Text: "断", Event: eventPart},
		{ID: "6", Kind: chat.KindImage},
	}
	var got []string
	for _, m := range joinParts(in) {
		got = append(got, string(m.ID)+m.Text)
	}
	if s := strings.Join(got, " "); s != "3前中后 4另一条 5断 6" {
		t.Errorf("joined to %q", s)
	}
}

func TestRatingPick_ReadsOnlyStars(t *testing.T) {
	t.Parallel()
	for pick, want := range map[string]int{"rate:1": 1, "rate:5": 5, "rate:0": 0, "rate:6": 0, "rate:": 0, "topic:x": 0} {
		if n, ok := ratingPick(chat.Inbound{Kind: chat.KindPick, Pick: pick}); ok != (want > 0) || ok && n != want {
			t.Errorf("%q: %d, %v", pick, n, ok)
		}
	}
}
