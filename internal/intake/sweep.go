package intake

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"

	"wensheng/handoff"
	"wensheng/internal/chat"
)

// Run heals what crashes and lost messages leave behind, until ctx ends: the
// sweeper takes over overdue turns and effects, the desk's keeper brings back
// what lost agents held and assigns what waits, the reconciler compares queues
// with conversations. Any number of replicas may run it at once.
func (i *Intake) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { i.every(ctx, i.o.SweepEvery, i.sweep); return nil })
	g.Go(func() error { i.keepDesk(ctx); return nil })
	g.Go(func() error { i.every(ctx, i.o.ReconcileEvery, i.reconcile); return nil })
	return g.Wait()
}

func (i *Intake) every(ctx context.Context, d time.Duration, f func(context.Context)) {
	t := time.NewTicker(d)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			if i.begin() {
				f(ctx)
				i.work.Done()
			}
		}
	}
}

// slice is how many shards one pipeline asks; batch how many conversations it
// takes of each.
const (
	slice = 128
	batch = 16
)

func (i *Intake) sweep(ctx context.Context) {
	for from := 0; from < chat.Shards && ctx.Err() == nil; from += slice {
		due, err := i.o.Store.Due(ctx, from, from+slice, batch)
		if err != nil {
			i.warnUnlessDone(ctx, "sweep", err)
			return
		}
		for _, id := range due {
			i.takeOver(ctx, id)
		}
	}
}

func (i *Intake) takeOver(ctx context.Context, id chat.ConvID) {
	t, effects, err := i.o.Store.TakeOver(ctx, id)
	if err != nil {
		i.warnUnlessDone(ctx, "take over", err)
		return
	}
	if t != nil {
		i.o.Meter.TakenOver()
		i.spawn(ctx, func(ctx context.Context) { i.run(ctx, t) })
	}
	if len(effects) == 0 {
		return
	}
	conv, err := i.o.Store.Load(ctx, id)
	if err != nil {
		i.warnUnlessDone(ctx, "load for effects", err)
		return
	}
	for _, e := range effects {
		i.o.Meter.EffectRetried(string(e.Kind))
	}
	p := i.lanes.enter(id, effects)
	i.spawn(ctx, func(ctx context.Context) { i.carryAll(ctx, conv, effects, i.transcript(id), p) })
}

func (i *Intake) warnUnlessDone(ctx context.Context, what string, err error) {
	if ctx.Err() == nil && !errors.Is(err, chat.ErrNotFound) {
		i.o.Logger.WarnContext(ctx, "background work failed, tried again later", "what", what, "err", err)
	}
}

// keepDesk returns what lost agents held to the front of its queue and assigns
// waiting conversations in automatic groups, at every change and every second.
func (i *Intake) keepDesk(ctx context.Context) {
	changed := make(chan struct{}, 1)
	stop := i.o.Desk.Subscribe(func(handoff.Note) {
		select {
		case changed <- struct{}{}:
		default:
		}
	})
	defer stop()
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-t.C:
		}
		if !i.begin() {
			return
		}
		i.recoverLost(ctx)
		i.assign(ctx)
		i.work.Done()
	}
}

// recoverLost clears the conversation first and the queue second: in between
// nobody can claim it, and a crash there is healed by the next round.
func (i *Intake) recoverLost(ctx context.Context) {
	lost, err := i.o.Desk.Expired(ctx)
	if err != nil {
		i.warnUnlessDone(ctx, "expired leases", err)
		return
	}
	for _, l := range lost {
		if err := i.lose(ctx, l); err != nil {
			i.warnUnlessDone(ctx, "lost lease", err)
		}
	}
}

func (i *Intake) lose(ctx context.Context, l handoff.Lease) error {
	conv, err := i.o.Store.Load(ctx, l.Conv)
	if errors.Is(err, chat.ErrNotFound) {
		return i.o.Desk.Finish(ctx, l)
	}
	if err != nil {
		return err
	}
	if conv.State.Held() && conv.Lease == l.Token {
		c := chat.Commit{
			Event: chat.EventLost, Group: conv.Group, Priority: conv.Priority,
			Append: []chat.Message{i.system(string(chat.EventLost), l.Agent)},
		}
		i.tell(&c, conv, i.phrase("back_to_queue", langOf(conv), nil))
		if conv, _, err = i.write(ctx, conv, chat.Fence{Lease: l.Token}, c); err != nil {
			return err
		}
	}
	switch conv.State {
	case chat.StateWaiting:
		if conv.Group != l.Group { // a transfer was cut in half
			pkg := packageOf(conv)
			pkg.Generation = max(l.Generation, conv.Generation)
			return i.o.Desk.Move(ctx, l, pkg)
		}
		return i.o.Desk.Requeue(ctx, l, true)
	case chat.StateServing, chat.StateOnHold:
		if conv.Lease != l.Token {
			return i.o.Desk.Finish(ctx, l) // a newer holder has it
		}
		return nil
	case chat.StateBot, chat.StateClosed:
		return i.o.Desk.Finish(ctx, l)
	}
	return nil
}

// assign gives waiting conversations in automatic groups to the least loaded agents.
func (i *Intake) assign(ctx context.Context) {
	leases, err := i.o.Desk.Assign(ctx)
	if err != nil {
		i.warnUnlessDone(ctx, "assign", err)
	}
	for _, l := range leases {
		if err := i.serve(ctx, l, i.agentName(ctx, l.Agent)); err != nil {
			i.warnUnlessDone(ctx, "serve assigned", err)
		}
	}
}

func (i *Intake) agentName(ctx context.Context, id string) string {
	agents, err := i.o.Desk.Agents(ctx)
	if err != nil {
		return ""
	}
	for _, a := range agents {
		if a.ID == id {
			return a.Name
		}
	}
	return ""
}

// reconcile proves that every waiting conversation is in exactly one queue or
// on its way out of one, and every held one is held by a lease (G4).
func (i *Intake) reconcile(ctx context.Context) {
	before := i.o.Clock().Add(-i.o.SettleTime)
	for from := 0; from < chat.Shards && ctx.Err() == nil; from += slice {
		waiting, err := i.o.Store.InState(ctx, from, from+slice, chat.StateWaiting, before, batch)
		if err != nil {
			i.warnUnlessDone(ctx, "reconcile", err)
			return
		}
		for _, id := range waiting {
			i.mendWaiting(ctx, id)
		}
		for _, s := range []chat.State{chat.StateServing, chat.StateOnHold} {
			held, err := i.o.Store.InState(ctx, from, from+slice, s, before, batch)
			if err != nil {
				i.warnUnlessDone(ctx, "reconcile", err)
				return
			}
			for _, id := range held {
				i.mendHeld(ctx, id)
			}
		}
		idle, err := i.o.Store.InState(ctx, from, from+slice, chat.StateBot, i.o.Clock().Add(-i.o.IdleClose), batch)
		if err != nil {
			i.warnUnlessDone(ctx, "reconcile", err)
			return
		}
		for _, id := range idle {
			i.closeIdle(ctx, id)
		}
	}
	i.mendQueues(ctx)
}

// mendWaiting puts a waiting conversation that is in no queue back into one.
func (i *Intake) mendWaiting(ctx context.Context, id chat.ConvID) {
	conv, err := i.o.Store.Load(ctx, id)
	if err != nil || conv.State != chat.StateWaiting {
		return
	}
	if pos, err := i.o.Desk.Position(ctx, conv.Group, id); err == nil && pos > 0 {
		return
	}
	if _, err := i.o.Desk.Lease(ctx, conv.Group, id); !errors.Is(err, chat.ErrNotFound) {
		return // claimed a moment ago, or the lease will expire and be recovered
	}
	pkg := packageOf(conv)
	pkg.Generation = conv.Generation
	if i.group(pkg.Group).ID != pkg.Group {
		pkg.Group = i.o.Groups[0].ID // the group was taken out of the config
	}
	if _, err := i.o.Desk.Restore(ctx, pkg); err != nil {
		i.warnUnlessDone(ctx, "reconcile", err)
		return
	}
	i.o.Logger.WarnContext(ctx, "reconciler: a waiting conversation was in no queue", "conv", id)
}

// mendHeld returns a held conversation whose lease is gone to the queue.
func (i *Intake) mendHeld(ctx context.Context, id chat.ConvID) {
	conv, err := i.o.Store.Load(ctx, id)
	if err != nil || !conv.State.Held() {
		return
	}
	if _, err := i.o.Desk.Lease(ctx, conv.Group, id); !errors.Is(err, chat.ErrNotFound) {
		return
	}
	i.o.Logger.WarnContext(ctx, "reconciler: a held conversation had no lease", "conv", id)
	c := chat.Commit{
		Event: chat.EventLost, Group: conv.Group, Priority: conv.Priority,
		Append: []chat.Message{i.system(string(chat.EventLost), conv.Agent)},
	}
	if conv, _, err = i.write(ctx, conv, chat.Fence{Lease: conv.Lease}, c); err != nil {
		i.warnUnlessDone(ctx, "reconcile", err)
		return
	}
	i.mendWaiting(ctx, conv.ID)
}

// mendQueues takes out of the queues what no longer waits, and meters the rest.
func (i *Intake) mendQueues(ctx context.Context) {
	for _, g := range i.o.Groups {
		items, err := i.o.Desk.Items(ctx, []string{g.ID})
		if err != nil {
			i.warnUnlessDone(ctx, "reconcile", err)
			return
		}
		i.o.Meter.Waiting(g.ID, len(items))
		for _, it := range items {
			conv, err := i.o.Store.Load(ctx, it.Conv)
			gone := errors.Is(err, chat.ErrNotFound)
			if err != nil && !gone {
				return
			}
			moved := !gone && (conv.State != chat.StateWaiting || conv.Group != g.ID)
			if gone || moved && i.o.Clock().Sub(conv.ChangedAt) > i.o.SettleTime {
				if err := i.o.Desk.Dequeue(ctx, g.ID, it.Conv); err != nil {
					i.warnUnlessDone(ctx, "reconcile", err)
				}
			}
		}
	}
}

// closeIdle ends a conversation the contact left with the bot.
func (i *Intake) closeIdle(ctx context.Context, id chat.ConvID) {
	conv, err := i.o.Store.Load(ctx, id)
	if err != nil || conv.State != chat.StateBot || conv.Cursor < conv.Seq && i.o.Clock().Sub(conv.ActiveAt) < i.o.IdleClose {
		return
	}
	c := chat.Commit{
		Event:   chat.EventClose,
		Append:  []chat.Message{i.system(string(chat.EventClose), "idle")},
		Effects: i.closing(conv),
	}
	if i.o.Sender.Pulls(conv.Contact.Account) { // elsewhere it would be an unasked-for message
		i.tell(&c, conv, i.phrase("closed_idle", langOf(conv), nil))
	}
	if _, _, err := i.write(ctx, conv, chat.Fence{Any: true, States: []chat.State{chat.StateBot}}, c); err != nil {
		i.warnUnlessDone(ctx, "close idle", err)
	}
}
