package app_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
)

func TestProxies_OnlyTrustedOnesSayWhoCalls(t *testing.T) {
	t.Parallel()
	const one = "limits: {sockets_per_ip: 1}\n"
	for _, tt := range []struct {
		name, yaml string
		// forwarded are the headers of sockets opened one after the other.
		forwarded []string
		want      []int
	}{
		{
			"a stranger's word is nothing", one,
			[]string{"192.0.2.1", "192.0.2.2"},
			[]int{http.StatusSwitchingProtocols, http.StatusTooManyRequests},
		},
		{
			"another network's proxy is a stranger", one + "trusted_proxies: [10.0.0.0/8]\n",
			[]string{"192.0.2.1", "192.0.2.2"},
			[]int{http.StatusSwitchingProtocols, http.StatusTooManyRequests},
		},
		{
			"a trusted proxy names the caller", one + "trusted_proxies: [127.0.0.0/8]\n",
			[]string{"192.0.2.1", "192.0.2.2", "192.0.2.1"},
			[]int{http.StatusSwitchingProtocols, http.StatusSwitchingProtocols, http.StatusTooManyRequests},
		},
		{
			"what the caller himself put before is nothing", one + "trusted_proxies: [127.0.0.0/8, 10.0.0.1]\n",
			[]string{"198.51.100.1, 192.0.2.1", "198.51.100.2, 192.0.2.1, 10.0.0.1"},
			[]int{http.StatusSwitchingProtocols, http.StatusTooManyRequests},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			g := start(t, gatewayOptions{yaml: tt.yaml})
			for i, from := range tt.forwarded {
				d := websocket.Dialer{Subprotocols: []string{"wensheng.v1"}}
				ws, res, err := d.DialContext(t.Context(), "ws"+strings.TrimPrefix(g.url, "http")+"/channels/web/web/ws",
					http.Header{"Origin": {g.url}, "X-Forwarded-For": {from}})
				if res == nil {
					t.Fatal(err)
				}
				_ = res.Body.Close()
				if err == nil {
					t.Cleanup(func() { _ = ws.Close() })
				}
				if res.StatusCode != tt.want[i] {
					t.Errorf("socket %d from %q: %d, want %d", i, from, res.StatusCode, tt.want[i])
				}
			}
		})
	}
}
