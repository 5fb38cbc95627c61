package redisx

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// CheckURL says what is wrong with a URL, without connecting. The empty one,
// embedded, is right.
func CheckURL(text string) error {
	if text == "" {
		return nil
	}
	_, _, err := parseURL(text)
	return err
}

// parseURL reads
//
//	redis://[user:password@]host[:6379][/db]      rediss:// for TLS
//	unix://[user:password@]/path/to.sock[?db=n]
//	redis-sentinel://[user:password@]host[:26379][,host…]/master[/db][?sentinel_password=…&sentinel_username=…&tls=true]
//	redis-cluster://[user:password@]host[:6379][,host…][?tls=true]
//
// rediss-sentinel:// and rediss-cluster:// are the same with TLS.
//
// Errors never repeat the URL.
func parseURL(text string) (*redis.UniversalOptions, string, error) {
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok {
		return nil, "", errors.New("redis: the URL has no scheme")
	}
	switch scheme {
	case "redis", "rediss", "unix":
		o, err := redis.ParseURL(text)
		if err != nil {
			return nil, "", errors.New("redis: the URL is malformed") // its text may hold the password
		}
		return &redis.UniversalOptions{
			Addrs: []string{o.Addr}, DB: o.DB, Username: o.Username, Password: o.Password, TLSConfig: o.TLSConfig,
		}, ModeSingle, nil
	case "redis-sentinel", "rediss-sentinel", "redis-cluster", "rediss-cluster":
		return parseMany(strings.HasSuffix(scheme, "-sentinel"), strings.HasPrefix(scheme, "rediss-"), rest)
	default:
		return nil, "", fmt.Errorf("redis: scheme %q is none of redis, rediss, unix, redis-sentinel, rediss-sentinel, redis-cluster, rediss-cluster", scheme)
	}
}

// parseMany reads a URL of several hosts, which net/url does not.
func parseMany(sentinel, secure bool, rest string) (*redis.UniversalOptions, string, error) {
	o := &redis.UniversalOptions{}
	rest, query, _ := strings.Cut(rest, "?")
	if at := strings.LastIndex(rest, "@"); at >= 0 {
		user, password, _ := strings.Cut(rest[:at], ":")
		var err1, err2 error
		o.Username, err1 = url.QueryUnescape(strings.ReplaceAll(user, "+", "%2B"))
		o.Password, err2 = url.QueryUnescape(strings.ReplaceAll(password, "+", "%2B"))
		if err1 != nil || err2 != nil {
			return nil, "", errors.New("redis: the URL's user or password is not percent-encoded")
		}
		rest = rest[at+1:]
	}
	hosts, path, _ := strings.Cut(rest, "/")
	mode, port := ModeCluster, "6379"
	if sentinel {
		mode, port = ModeSentinel, "26379"
	}
	for host := range strings.SplitSeq(hosts, ",") {
		if host == "" {
			return nil, "", errors.New("redis: the URL has an empty host")
		}
		if _, _, err := net.SplitHostPort(host); err != nil {
			host = net.JoinHostPort(strings.Trim(host, "[]"), port)
		}
		o.Addrs = append(o.Addrs, host)
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return nil, "", errors.New("redis: the URL's query is malformed")
	}
	for name := range values {
		switch name {
		case "tls":
			secure = secure || values.Get(name) == "true"
		case "sentinel_username":
			o.SentinelUsername = values.Get(name)
		case "sentinel_password":
			o.SentinelPassword = values.Get(name)
		default:
			return nil, "", fmt.Errorf("redis: unknown option %q in the URL", name)
		}
	}
	if secure {
		o.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	if mode == ModeCluster {
		if path != "" {
			return nil, "", errors.New("redis: a cluster has no databases")
		}
		return o, mode, nil
	}
	master, db, _ := strings.Cut(path, "/")
	if master == "" {
		return nil, "", errors.New("redis: a sentinel URL needs the master's name as its path")
	}
	o.MasterName = master
	if db != "" {
		if o.DB, err = strconv.Atoi(db); err != nil || o.DB < 0 {
			return nil, "", errors.New("redis: the URL's database is not a number")
		}
	}
	return o, mode, nil
}
