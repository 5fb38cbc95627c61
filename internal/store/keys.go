package store

import (
	"hash/fnv"
	"strconv"

	"wensheng/internal/chat"
)

// Every key is "{s<shard>}:<kind>:<name>", so that all of an address is in one
// cluster slot. lua/lib.lua builds the same names from the tag.
//
//	{s7}:a:<hmac of the address>     the address's newest conversation id
//	{s7}:d:<hmac of a provider's id>  "conv|seq|vseq|message id", for DedupeTTL
//	{s7}:c:<conv>                    hash: state, counters, lease, sealed blobs
//	{s7}:t:<conv>                    list of entries; index is Seq - 1
//	{s7}:del:<conv>                  hash: message id → delivery, sealed note
//	{s7}:e:<conv>                    hash: effect id → "due|attempts|token|payload"
//	{s7}:cid:<conv>                  hash: hmac of a written message's id → Seq
//	{s7}:ready                       sorted set: conversation by due, ms
//	{s7}:st:<state>                  sorted set: conversation by last change, ms
//
// No key and no value holds an address or a provider's id in clear.
const (
	kindAddress      = "a"
	kindDedupe       = "d"
	kindConversation = "c"
	kindState        = "st"
)

// wakeChannel is the one pub/sub channel of the wake-ups.
const wakeChannel = "wensheng:wake"

// tag is what all keys of a shard start with.
func tag(shard int) string { return "{s" + strconv.Itoa(shard) + "}:" }

func key(shard int, kind, name string) string { return tag(shard) + kind + ":" + name }

func readyKey(shard int) string { return tag(shard) + "ready" }

// addressHash is the address's name in keys. The zero byte keeps account and id apart.
func (s *Store) addressHash(a chat.Address) string {
	return s.sealer.HMAC("addr", string(a.Account)+"\x00"+a.ID)
}

// shardOf spreads address hashes over the shards.
func shardOf(addressHash string) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(addressHash)) // never fails
	return int(h.Sum32() % chat.Shards)
}

// dedupeHash is the provider's message id in keys. The address is part of it: a
// visitor chooses his own ids, and must not meet another's message by one.
func (s *Store) dedupeHash(a chat.Address, providerID string) string {
	return s.sealer.HMAC("dedupe", string(a.Account)+"\x00"+a.ID+"\x00"+providerID)
}

// writtenID is under which a message of Write is known. Two agents may use the
// same client id.
func (s *Store) writtenID(m chat.Message) string {
	if m.ClientID == "" {
		return string(m.ID)
	}
	return s.sealer.HMAC("cid", string(m.Role)+"\x00"+m.Agent+"\x00"+m.ClientID)
}
