package telemetry

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// seconds are the buckets of all durations: from half a millisecond, which a
// turn takes, to ten seconds, when a vendor has hung up.
var seconds = []float64{.0005, .001, .002, .003, .005, .01, .02, .05, .1, .2, .5, 1, 2, 4.5, 10}

// Metrics counts what the gateway does, in a registry of its own. Its methods
// are safe for concurrent use and do not block. No label can carry personal
// data: a value that is not a short word of the program's own becomes "other".
type Metrics struct {
	registry *prometheus.Registry

	requests      *prometheus.CounterVec
	requestTime   *prometheus.HistogramVec
	accepted      *prometheus.CounterVec
	turns         prometheus.Histogram
	decisions     *prometheus.CounterVec
	handoffs      *prometheus.CounterVec
	waiting       *prometheus.GaugeVec
	sends         *prometheus.CounterVec
	sockets       *prometheus.GaugeVec
	socketsClosed *prometheus.CounterVec
	frames        *prometheus.CounterVec
	retried       *prometheus.CounterVec
	takeovers     prometheus.Counter
	redisUp       prometheus.Gauge
	knowledge     *prometheus.GaugeVec
}

// NewMetrics makes a registry with everything the gateway counts, the Go
// runtime and the process.
func NewMetrics() *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "wensheng", Name: name, Help: help}, labels)
	}
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: "wensheng", Name: name, Help: help}, labels)
	}
	histogram := func(name, help string) prometheus.HistogramOpts {
		return prometheus.HistogramOpts{Namespace: "wensheng", Name: name, Help: help, Buckets: seconds}
	}
	m := &Metrics{
		registry:      prometheus.NewRegistry(),
		requests:      counter("http_requests_total", "Answered HTTP requests.", "route", "method", "code"),
		requestTime:   prometheus.NewHistogramVec(histogram("http_request_seconds", "Time to answer an HTTP request."), []string{"route"}),
		accepted:      counter("accepted_total", "Messages taken from contacts; dup says that it was delivered before.", "channel", "dup"),
		turns:         prometheus.NewHistogram(histogram("turn_seconds", "Time of a bot turn, from the lease to the commit.")),
		decisions:     counter("decisions_total", "Decisions of the bot.", "action"),
		handoffs:      counter("handoffs_total", "Conversations given to people.", "group", "priority", "reason"),
		waiting:       gauge("queue_waiting", "Conversations that wait for an agent.", "group"),
		sends:         counter("sends_total", "Messages to contacts by outcome: sent, failed, unknown.", "channel", "outcome"),
		sockets:       gauge("ws_connections", "Open web chat sockets.", "account"),
		socketsClosed: counter("ws_closed_total", "Closed web chat sockets by the code we sent; 0 when the peer left.", "account", "code"),
		frames:        counter("ws_frames_total", "Frames from web visitors by kind or error.", "account", "kind"),
		retried:       counter("effects_retried_total", "Effects that had to be repeated.", "kind"),
		takeovers:     prometheus.NewCounter(prometheus.CounterOpts{Namespace: "wensheng", Name: "sweeper_takeovers_total", Help: "Conversations taken over from a replica that died or was slow."}),
		redisUp:       prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "wensheng", Name: "redis_up", Help: "1 when Redis answered the last time it was asked."}),
		knowledge:     gauge("knowledge_info", "The knowledge base in force.", "version"),
	}
	build := gauge("build_info", "What is running.", "version", "commit", "go")
	b := Build()
	build.WithLabelValues(b.Version, b.Commit, b.Go).Set(1)
	m.registry.MustRegister(
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), build,
		m.requests, m.requestTime, m.accepted, m.turns, m.decisions, m.handoffs, m.waiting, m.sends,
		m.sockets, m.socketsClosed, m.frames, m.retried, m.takeovers, m.redisUp, m.knowledge,
	)
	return m
}

// Handler serves the metrics. When token is not empty, it asks for it as a
// bearer token and answers 401 without.
func (m *Metrics) Handler(token string) http.Handler {
	metrics := promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry, MaxRequestsInFlight: 4})
	if token == "" {
		return metrics
	}
	want := sha256.Sum256([]byte("Bearer " + token))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got := sha256.Sum256([]byte(r.Header.Get("Authorization")))
		if subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, "a bearer token is needed", http.StatusUnauthorized)
			return
		}
		metrics.ServeHTTP(w, r)
	})
}

// Request counts an answered request. route is the template it matched.
func (m *Metrics) Request(route, method string, status int, took time.Duration) {
	route = label(route)
	m.requests.WithLabelValues(route, label(method), code(status)).Inc()
	m.requestTime.WithLabelValues(route).Observe(took.Seconds())
}

// Accepted counts a message from a contact.
func (m *Metrics) Accepted(channel string, duplicate bool) {
	m.accepted.WithLabelValues(label(channel), strconv.FormatBool(duplicate)).Inc()
}

// Turn records how long a bot turn took.
func (m *Metrics) Turn(d time.Duration) { m.turns.Observe(d.Seconds()) }

// Decision counts a decision by its action.
func (m *Metrics) Decision(action string) { m.decisions.WithLabelValues(label(action)).Inc() }

// Handoff counts a conversation given to people.
func (m *Metrics) Handoff(group, priority, reason string) {
	m.handoffs.WithLabelValues(label(group), label(priority), label(reason)).Inc()
}

// Waiting records how many wait in a group.
func (m *Metrics) Waiting(group string, n int) {
	m.waiting.WithLabelValues(label(group)).Set(float64(n))
}

// Sent counts a message to a contact by outcome.
func (m *Metrics) Sent(channel, outcome string) {
	m.sends.WithLabelValues(label(channel), label(outcome)).Inc()
}

// SocketOpened counts an open web chat socket.
func (m *Metrics) SocketOpened(account string) { m.sockets.WithLabelValues(label(account)).Inc() }

// SocketClosed counts its end; closeCode is the one we sent, 0 when the peer left.
func (m *Metrics) SocketClosed(account string, closeCode int) {
	m.sockets.WithLabelValues(label(account)).Dec()
	m.socketsClosed.WithLabelValues(label(account), code(closeCode)).Inc()
}

// FrameIn counts a frame from a visitor by its kind, a refused one by its error.
func (m *Metrics) FrameIn(account, kind string) {
	m.frames.WithLabelValues(label(account), label(kind)).Inc()
}

// EffectRetried counts an effect that had to be repeated.
func (m *Metrics) EffectRetried(kind string) { m.retried.WithLabelValues(label(kind)).Inc() }

// TakenOver counts a conversation the sweeper took over.
func (m *Metrics) TakenOver() { m.takeovers.Inc() }

// RedisUp records whether Redis answers.
func (m *Metrics) RedisUp(up bool) {
	m.redisUp.Set(0)
	if up {
		m.redisUp.Set(1)
	}
}

// Knowledge records the version of the knowledge base in force.
func (m *Metrics) Knowledge(version string) {
	m.knowledge.Reset()
	m.knowledge.WithLabelValues(version).Set(1) // a hash, which may well hold many digits
}

// Bounds of a label's value. A run of more digits may be a person's number.
const (
	maxLabel       = 64
	maxLabelDigits = 5
)

// label returns v when it is a short word of the program's own, else "other".
func label(v string) string {
	if len(v) > maxLabel {
		return "other"
	}
	digits := 0
	for i := range len(v) {
		c := v[i]
		switch {
		case c >= '0' && c <= '9':
			if digits++; digits > maxLabelDigits {
				return "other"
			}
			continue
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', strings.IndexByte("_-.:/{}*", c) >= 0:
		default:
			return "other"
		}
		digits = 0
	}
	return v
}

// code returns an HTTP status or close code as a label.
func code(n int) string {
	if n < 0 || n > 9999 {
		return "other"
	}
	return strconv.Itoa(n)
}
