package app_test

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wensheng/internal/redisx/redistest"
)

func (g *gateway) metric(tb testing.TB, line string) bool {
	tb.Helper()
	return strings.Contains(g.fetch(tb, "GET", "/metrics", "", nil).Body, line+"\n")
}

func TestMetrics_FollowRedisWhileNobodyAsks(t *testing.T) {
	t.Parallel()
	srv := redistest.Start(t)
	g := start(t, gatewayOptions{redis: srv.URL()})
	eventually(t, "Redis is up", func() bool { return g.metric(t, "wensheng_redis_up 1") })
	srv.Kill()
	eventually(t, "Redis is down", func() bool { return g.metric(t, "wensheng_redis_up 0") })
	srv.Restart()
	eventually(t, "Redis is up again", func() bool { return g.metric(t, "wensheng_redis_up 1") })
}

func TestMetrics_CountEveryMessageByItsChannel(t *testing.T) {
	t.Parallel()
	g := start(t, gatewayOptions{})
	for range 2 {
		if s := g.sms(t, "1", "13900000001", earlyFee); s != 200 {
			t.Fatalf("status %d", s)
		}
	}
	if s := g.sms(t, "2", "13900000001", "TD"); s != 200 {
		t.Fatalf("status %d", s)
	}
	for _, line := range []string{
		`wensheng_accepted_total{channel="sms",dup="false"} 2`, `wensheng_accepted_total{channel="sms",dup="true"} 1`,
	} {
		if !g.metric(t, line) {
			t.Errorf("/metrics lacks %s", line)
		}
	}
}

func TestExpiredLogins_AreDeleted(t *testing.T) {
	t.Parallel()
	var clock fakeClock
	o := gatewayOptions{data: shortDir(t), clock: clock.now}
	g := start(t, o)
	g.addAgent(t, configFile(t, o), "li", "agent")
	if err := g.stop(); err != nil {
		t.Fatal(err)
	}
	logins := func() (n int) {
		t.Helper()
		db, err := sql.Open("sqlite", filepath.Join(o.data, "wensheng.db"))
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close() //nolint:errcheck // read only
		if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM logins").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := logins(); n != 1 {
		t.Fatalf("%d logins are kept, want the agent's", n)
	}
	clock.add(90 * 24 * time.Hour)
	start(t, o)
	eventually(t, "the expired login is gone", func() bool { return logins() == 0 })
}
