package app

import (
	"context"
	"net"
	"net/http"
	"slices"
	"time"

	"wensheng/channels"
	"wensheng/channels/sms"
	webchat "wensheng/channels/web"
	"wensheng/channels/wechat"
	"wensheng/internal/archive"
	"wensheng/internal/chat"
	"wensheng/internal/config"
	"wensheng/internal/intake"
	"wensheng/internal/pii"
	"wensheng/internal/telemetry"
	"wensheng/nlp"
	"wensheng/web"
	"wensheng/web/console"
	"wensheng/web/widget"
)

// wire builds the channels, the pipeline and the HTTP face. Channels need the
// sink and the pipeline needs the channels, so the sink is handed over late.
func (a *App) wire() error {
	sink := &lateSink{}
	a.vault = &vault{redis: a.redis.Client(), sealer: a.sealer, clock: a.clock, quotas: map[chat.AccountID]wechat.Quotas{}}
	accounts := map[chat.AccountID]string{}
	for _, acc := range a.cfg.Accounts {
		accounts[chat.AccountID(acc.ID)] = acc.Kind
	}
	var err error
	if a.wechat, err = a.newWeChat(sink); err != nil {
		return err
	}
	if a.sms, err = a.newSMS(sink); err != nil {
		return err
	}
	if a.webchat, err = a.newWebChat(sink); err != nil {
		return err
	}
	a.router, err = channels.NewRouter(channels.RouterOptions{
		Channels: []channels.Channel{a.wechat, a.sms, a.webchat},
		Accounts: accounts, Meter: a.meter, Logger: a.log,
	})
	if err != nil {
		return err
	}
	pipeline := intake.Options{
		Store: a.store, Bot: a.live.Acquire, Desk: a.desk, Groups: a.desk.Groups(),
		Sender: a.router, Archive: record{a.archive, a.library}, Meter: a.meter,
		Redact: pii.Redact, Mask: pii.Mask, Clock: a.clock, Logger: a.log,
		IdleClose: a.cfg.Timeouts.Idle, KeepClosed: noneOr(a.cfg.Timeouts.Reopen),
		PartWait: partWait(a.cfg),
	}
	if a.tune != nil {
		a.tune(&pipeline)
	}
	if a.intake, err = intake.New(pipeline); err != nil {
		return err
	}
	sink.Sink = a.intake
	a.web, err = web.New(a.webOptions())
	if err != nil {
		return err
	}
	a.server = a.web.HTTPServer()
	a.builtFrontEnds = console.Built() && widget.Built()
	return nil
}

// partWait is how long a piece of a long SMS waits for the next. The wait is part
// of the turn, which must keep time for the answer.
func partWait(cfg *config.Config) time.Duration {
	var longest time.Duration
	for _, acc := range cfg.Accounts {
		if acc.Kind == config.KindSMS {
			longest = max(longest, acc.SMS.MergeWindow)
		}
	}
	return noneOr(min(longest, cfg.Timeouts.Turn/3))
}

// lateSink breaks the circle between channels and the pipeline; it is set
// before anything is served.
type lateSink struct{ chat.Sink }

func (a *App) newWeChat(sink chat.Sink) (*wechat.Channel, error) {
	o := wechat.Options{
		Sink: sink, Tokens: a.vault, Ledger: a.vault, Media: a.newMedia(),
		Timeout: a.cfg.Timeouts.Send, Clock: a.clock, Logger: a.log,
	}
	for _, acc := range a.cfg.Accounts {
		if acc.Kind != config.KindWeChat {
			continue
		}
		w := acc.WeChat
		o.Accounts = append(o.Accounts, wechat.Account{
			ID: chat.AccountID(acc.ID), AppID: w.AppID, AppSecret: w.AppSecret.Reveal(), Token: w.Token.Reveal(),
			EncodingAESKey: w.EncodingAESKey.Reveal(), Mode: wechat.Mode(w.Mode), APIBase: w.APIBase,
		})
		a.vault.quotas[chat.AccountID(acc.ID)] = wechat.Quotas{
			wechat.WindowMessage: {Messages: w.WindowMessages, For: w.Window},
		}
	}
	return wechat.New(o)
}

func (a *App) newWebChat(sink chat.Sink) (*webchat.Channel, error) {
	o := webchat.Options{
		Sink: sink, Reader: a.store, Wakes: a.store, Propose: a.store.Propose,
		Reads: a.store.Read,
		Typing: func(ctx context.Context, conv chat.ConvID) error {
			return a.store.Typing(ctx, conv, chat.RoleContact)
		},
		Position: a.position, Invited: a.vault.linked,
		Key: a.sealer.Derive("web session"),
		Limits: webchat.Limits{
			VisitorBurst: a.cfg.Limits.VisitorBurst, VisitorPerS: a.cfg.Limits.VisitorPerS,
			SocketsPerIP: a.cfg.Limits.SocketsPerIP, Sockets: a.cfg.Limits.Sockets,
		},
		Clock: a.clock, Logger: a.log, Metrics: socketMeter{a.meter},
	}
	for _, acc := range a.cfg.Accounts {
		if acc.Kind != config.KindWeb {
			continue
		}
		origins := acc.Web.AllowedOrigins
		if acc.Web.OwnOrigins {
			// With port 0 only now is it known which port it is.
			origins = append(origins, ownOrigins(a.Addr())...)
		}
		if a.sendsLinks() && chat.AccountID(acc.ID) == a.linkAccount() {
			// The page behind a one-time link is the gateway's own.
			origins = append(slices.Clip(origins), a.publicURL())
		}
		o.Accounts = append(o.Accounts, webchat.Account{
			ID: chat.AccountID(acc.ID), AllowedOrigins: origins, IdentityKey: acc.Web.IdentityKey.Reveal(),
		})
	}
	return webchat.New(o)
}

// socketMeter lends the metrics to web chat, whose accounts have a type.
type socketMeter struct{ *telemetry.Metrics }

func (m socketMeter) SocketOpened(a chat.AccountID) { m.Metrics.SocketOpened(string(a)) }
func (m socketMeter) SocketClosed(a chat.AccountID, code int) {
	m.Metrics.SocketClosed(string(a), code)
}
func (m socketMeter) FrameIn(a chat.AccountID, kind string) { m.Metrics.FrameIn(string(a), kind) }

func ownOrigins(addr string) []string {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil
	}
	return []string{"http://127.0.0.1:" + port, "http://localhost:" + port, "http://[::1]:" + port}
}

// perPerson is a cautious guess of how long one waiting person takes an agent;
// the visitor is shown a range, not a promise.
const perPerson = 3 * time.Minute

func (a *App) position(ctx context.Context, conv chat.ConvID) (pos int, low, high time.Duration, err error) {
	pos, err = a.intake.Position(ctx, conv)
	if err != nil || pos < 1 {
		return 0, 0, 0, err
	}
	// Nobody knows how long a wait is while nobody is there.
	cv, err := a.store.Load(ctx, conv)
	if err != nil {
		return 0, 0, 0, err
	}
	if staff, err := a.desk.Staffed(ctx, cv.Group); err != nil || staff == 0 {
		return pos, 0, 0, err
	}
	return pos, time.Duration(pos) * perPerson / 3, time.Duration(pos) * perPerson, nil
}

func (a *App) newSMS(sink chat.Sink) (*sms.Channel, error) {
	return sms.New(a.smsOptions(sink))
}

func (a *App) webOptions() web.Options {
	o := web.Options{
		Desk: a.intake, Users: users{a.archive}, Wakes: a.store, Notes: a.desk, List: a.list,
		Knowledge: a.library,
		Window:    a.window, Media: a.newMedia().Get,
		Derive: a.sealer.Derive, Mask: pii.Mask, Normalize: nlp.Normalize,
		Channels: map[string]http.Handler{
			a.wechat.Kind(): a.wechat.Handler(), a.sms.Kind(): a.sms.Handler(), a.webchat.Kind(): a.webchat.Handler(),
		},
		Ready: a.ready, Metrics: a.meter.Handler(a.cfg.Metrics.Token.Reveal()), Observe: a.meter.Request,
		Company: a.cfg.Company.Name, Hotline: a.cfg.Company.Hotline,
		PublicURL: a.cfg.PublicURL, LoginsPerIPMin: a.cfg.Limits.LoginsPerIPMin,
		Console: web.Front{FS: console.FS(), Built: console.Built()},
		Widget:  web.Front{FS: widget.FS(), Built: widget.Built()},
		Version: telemetry.Build().Version, Clock: a.clock, Logger: a.log,
	}
	if id := a.linkAccount(); id != "" {
		o.DemoAccount = string(id)
		o.Links = links{vault: a.vault, chat: a.webchat, account: id}
	}
	for _, p := range a.cfg.TrustedProxies {
		o.TrustedProxies = append(o.TrustedProxies, &net.IPNet{
			IP: p.Masked().Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen()),
		})
	}
	for _, g := range a.desk.Groups() {
		wg := web.Group{ID: g.ID, Name: g.Name, Auto: g.Auto}
		if g.Hours != nil {
			wg.Open = g.Hours.Open
		}
		o.Groups = append(o.Groups, wg)
	}
	return o
}

// window tells how long, and how often, a WeChat contact can still be answered.
func (a *App) window(ctx context.Context, contact chat.Address) (left int, until time.Time, ok bool) {
	if a.kindOf(contact.Account) != config.KindWeChat {
		return 0, time.Time{}, false
	}
	left, until, err := a.wechat.Left(ctx, contact)
	return left, until, err == nil
}

// users lends the archive to web, whose audit query is its own type.
type users struct{ *archive.Archive }

func (u users) Audits(ctx context.Context, q web.AuditQuery) ([]chat.Audit, error) {
	return u.Archive.Audits(ctx, archive.AuditQuery{Object: q.Object, User: q.User, Limit: q.Limit, Before: q.Before})
}

// list serves the supervisor's list from the live state, closed ones from the record.
func (a *App) list(ctx context.Context, q web.ListQuery) ([]chat.Conversation, error) {
	if q.State == chat.StateClosed {
		return a.archive.ListConversations(ctx, archive.ConversationQuery{Limit: q.Limit})
	}
	ids, err := a.store.InState(ctx, 0, chat.Shards, q.State, a.clock().Add(time.Second), 8)
	if err != nil {
		return nil, err
	}
	var list []chat.Conversation
	for _, id := range ids {
		if len(list) == q.Limit {
			break
		}
		conv, err := a.store.Load(ctx, id)
		if err != nil {
			continue // expired meanwhile
		}
		list = append(list, conv)
	}
	return list, nil
}

// writable asks of Redis what accepting needs. A replica, a full disk and full
// memory still answer PING.
func (a *App) writable(ctx context.Context) error {
	if err := a.redis.Ping(ctx); err != nil {
		return err
	}
	return a.redis.Client().Set(ctx, "x:ready", 1, time.Minute).Err()
}

// ready answers /readyz: every dependency by name.
func (a *App) ready(ctx context.Context) web.Readiness {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	dep := func(mode string, err error) web.Dependency {
		d := web.Dependency{OK: err == nil, Mode: mode}
		if err != nil {
			d.Problem = "does not answer"
		}
		return d
	}
	r := web.Readiness{
		Redis:     dep(a.redis.Mode(), a.writable(ctx)),
		Database:  dep(a.archive.Mode(), a.archive.Ping(ctx)),
		Knowledge: web.Dependency{OK: a.live.Problem() == "", Mode: a.live.Source(), Version: a.live.Hash(), Problem: a.live.Problem()},
	}
	a.meter.RedisUp(r.Redis.OK)
	// A slow database never slows a borrower: the record is written from
	// Redis, so the gateway can accept without it.
	r.Ready = r.Redis.OK && !a.unready.Load()
	return r
}
