package chat_test

import (
	"fmt"
	"strings"
	"testing"

	"wensheng/internal/chat"
)

func TestConvID_CarriesItsShard(t *testing.T) {
	t.Parallel()
	seen := map[chat.ConvID]bool{}
	for shard := range chat.Shards {
		id := chat.NewConvID(shard)
		if got, ok := id.Shard(); !ok || got != shard {
			t.Errorf("id %s says shard %d, %v; want %d", id, got, ok, shard)
		}
		if seen[id] {
			t.Errorf("id %s was made twice", id)
		}
		seen[id] = true
	}
}

func TestConvID_HostileOnesAreRefused(t *testing.T) {
	t.Parallel()
	good := string(chat.NewConvID(7))
	if _, ok := chat.ConvID(good).Shard(); !ok {
		t.Fatalf("id %s is refused", good)
	}
	for _, id := range []string{
		"", "c", good[:26], good + "0", good + "\n", " " + good[1:], "m" + good[1:],
		strings.ToUpper(good), "C" + good[1:],
		"c}{" + good[3:], "c*?" + good[3:], "c../" + good[4:], good[:10] + ":" + good[11:],
		good[:10] + "\x00" + good[11:], good[:10] + "-" + good[11:], good[:10] + " " + good[11:],
		"c-1" + good[3:], "c+1" + good[3:], "c0x" + good[3:] + "0",
		"csg" + good[3:], // 1024, one too many
		"czz" + good[3:],
		good[:24] + "\uff11",        // a full-width digit: as long in bytes
		"c" + "\xff\xfe" + good[3:], // not UTF-8
		strings.Repeat(good, 40),
	} {
		if shard, ok := chat.ConvID(id).Shard(); ok || shard != 0 {
			t.Errorf("id %q is taken for shard %d", id, shard)
		}
	}
	last := chat.NewConvID(chat.Shards - 1)
	if got, ok := last.Shard(); !ok || got != chat.Shards-1 || !strings.HasPrefix(string(last), "csf") {
		t.Errorf("the last shard's id %s says %d, %v", last, got, ok)
	}
}

func FuzzConvIDShard(f *testing.F) {
	f.Add(string(chat.NewConvID(0)))
	f.Add(string(chat.NewConvID(chat.Shards - 1)))
	f.Add("c{s1}:00000000000000000000000")
	f.Fuzz(func(t *testing.T, text string) {
		shard, ok := chat.ConvID(text).Shard()
		if !ok {
			return
		}
		if shard < 0 || shard >= chat.Shards {
			t.Errorf("%q is of shard %d", text, shard)
		}
		if strings.ContainsAny(text, "{}:*?[] \x00\r\n") {
			t.Errorf("%q may become part of a key", text)
		}
	})
}

func TestIDs_AreUnguessableAndTheirOwn(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		make func() string
		want int
	}{
		{"message", func() string { return string(chat.NewMessageID()) }, 25},
		{"token", chat.NewToken, 32}, // 160 bits
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			seen := map[string]bool{}
			for range 2000 {
				id := c.make()
				if len(id) != c.want || strings.Trim(id, "0123456789abcdefghijklmnopqrstuvwxyz") != "" {
					t.Fatalf("id %q: want %d lower-case letters and digits", id, c.want)
				}
				if seen[id] {
					t.Fatalf("id %q was made twice", id)
				}
				seen[id] = true
			}
		})
	}
}

func TestAddress_PrintsNothingPersonal(t *testing.T) {
	t.Parallel()
	a := chat.Address{Account: "sms", ID: "13800138000"}
	for _, text := range []string{a.String(), fmt.Sprint(a), fmt.Sprintf("%v %s", a, &a)} {
		if strings.Contains(text, "138") {
			t.Errorf("printed address %q holds the number", text)
		}
	}
	if a.Zero() || !(chat.Address{}).Zero() {
		t.Error("only the empty address is zero")
	}
}
