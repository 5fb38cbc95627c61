// Package redisx connects to Redis: a single server, Sentinel, Cluster, or an
// embedded redis-server child that it supervises itself; where there is no
// redis-server it offers an in-memory trial store. It also runs scripts and
// tells an unavailable server from a refused command. It knows nothing of what
// is kept in Redis.
package redisx
