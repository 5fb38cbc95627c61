package web_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wensheng/channels/web"
	"wensheng/internal/chat"
)

var update = flag.Bool("update", false, "write the golden files")

func TestParse_RefusesWhatIsNotAFrame(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("长", web.MaxText)
	for _, tt := range []struct{ name, in, code, cid string }{
		{"not JSON", `hello`, web.ErrorBadFrame, ""},
		{"empty", ``, web.ErrorBadFrame, ""},
		{"array", `[]`, web.ErrorBadFrame, ""},
		{"null", `null`, web.ErrorBadFrame, ""},
		{"trailing", `{"t":"typing"}{}`, web.ErrorBadFrame, ""},
		{"invalid UTF-8", "{\"t\":\"msg\",\"cid\":\"1\",\"text\":\"\xff\"}", web.ErrorBadFrame, ""},
		{"unknown t", `{"t":"shout","cid":"1"}`, web.ErrorBadFrame, "1"},
		{"no cid", `{"t":"msg","text":"a"}`, web.ErrorBadFrame, ""},
		{"long cid", `{"t":"msg","text":"a","cid":"` + strings.Repeat("x", 65) + `"}`, web.ErrorBadFrame, ""},
		{"cid with space", `{"t":"msg","text":"a","cid":"a b"}`, web.ErrorBadFrame, ""},
		{"cid a number", `{"t":"msg","text":"a","cid":5}`, web.ErrorBadFrame, ""},
		{"text a number", `{"t":"msg","cid":"7","text":5}`, web.ErrorBadFrame, "7"},
		{"2001 characters", `{"t":"msg","cid":"8","text":"` + long + `长"}`, web.ErrorTooLong, "8"},
		{"only space", `{"t":"msg","cid":"9","text":" \u0000 "}`, web.ErrorEmpty, "9"},
		{"score 0", `{"t":"rate","cid":"1","score":0}`, web.ErrorBadFrame, "1"},
		{"score 6", `{"t":"rate","cid":"1","score":6}`, web.ErrorBadFrame, "1"},
		{"pick nothing", `{"t":"pick","cid":"1","id":""}`, web.ErrorBadFrame, "1"},
		{"read below zero", `{"t":"read","seq":-1}`, web.ErrorBadFrame, ""},
		{"hello below zero", `{"t":"hello","seq":-1}`, web.ErrorBadFrame, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := web.Parse([]byte(tt.in))
			var fe *web.FrameError
			if !errors.As(err, &fe) {
				t.Fatalf("got %v, want a FrameError", err)
			}
			if fe.Code != tt.code || fe.CID != tt.cid {
				t.Errorf("got code %q cid %q, want %q %q", fe.Code, fe.CID, tt.code, tt.cid)
			}
		})
	}
	if f, err := web.Parse([]byte(`{"t":"msg","cid":"1","text":"` + long + `"}`)); err != nil || f.Text != long {
		t.Errorf("2000 characters are refused: %v", err)
	}
	if f, err := web.Parse([]byte(`{"t":"msg","cid":"1","text":"a\u0000b\n","more":1}`)); err != nil || f.Text != "ab" {
		t.Errorf("got %q, %v", f.Text, err)
	}
}

func TestEncode_MatchesGoldenFrames(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 21, 9, 30, 0, 5e8, time.FixedZone("", 8*3600))
	frames := web.Frames([]chat.Message{
		{ID: "m1", Seq: 3, VSeq: 2, Role: chat.RoleBot, Kind: chat.KindText, At: at, Name: "小闻", Text: "您好 <b>&", Options: []chat.Option{{ID: "human", Label: "转人工"}}},
		{ID: "m2", Seq: 4, VSeq: 3, Role: chat.RoleContact, Kind: chat.KindPick, At: at, Pick: "human", ClientID: "cid:7"},
		{ID: "m3", Seq: 9, VSeq: 4, Role: chat.RoleContact, Kind: chat.KindRating, At: at, Score: 5, Text: "好", ClientID: "cid:8"},
	})
	got := strings.Join(frames, "\n") + "\n"
	golden := filepath.Join("testdata", "frames.golden")
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("frames differ (-want +got):\n%s", diff)
	}
}

func TestEncode_CutsWhatDoesNotFitAFrame(t *testing.T) {
	t.Parallel()
	for _, text := range []string{strings.Repeat("长", 10000), strings.Repeat("\x01\"", 10000), strings.Repeat("\xff", 20000)} {
		for _, f := range web.Frames([]chat.Message{{ID: "m", VSeq: 1, Kind: chat.KindText, Text: text}})[:1] {
			if len(f) > web.MaxFrame || len(f) < 100 {
				t.Errorf("frame of %d bytes", len(f))
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"t":"hello","session":"","epoch":"","seq":0,"identity":"x","locale":"zh-CN"}`))
	f.Add([]byte(`{"t":"msg","cid":"1","text":"提前还款"}`))
	f.Add([]byte(`{"t":"rate","cid":"1","score":5,"comment":"x"}`))
	f.Add([]byte(`{"t":"pick","cid":"1","id":"a"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := web.Parse(b)
		if err != nil {
			var fe *web.FrameError
			if !errors.As(err, &fe) || len(fe.CID) > web.MaxCID {
				t.Fatalf("bad refusal %#v", err)
			}
			return
		}
		switch got.T {
		case "msg", "pick", "rate", "end":
			if got.CID == "" || len(got.CID) > web.MaxCID || strings.ContainsRune(got.Text+got.Comment+got.ID, 0) {
				t.Fatalf("let through %#v", got)
			}
		}
	})
}
