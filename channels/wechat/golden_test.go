package wechat_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wensheng/channels/wechat"
	"wensheng/internal/chat"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares with testdata/name, or writes it with -update.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Error(diff)
	}
}

// What the vendor sends becomes this Inbound.
func TestDecode_Golden(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/inbound/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		ext := filepath.Ext(file)
		if ext == ".golden" {
			continue
		}
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			body, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			in, err := wechat.DecodePlain("text/"+ext[1:], body, time.Unix(1460537344, 0))
			var got []byte
			switch {
			case err != nil:
				got = []byte("refused: " + err.Error())
			case in == nil:
				got = []byte("acknowledged, nothing else")
			default:
				in.At = in.At.UTC()
				if got, err = json.MarshalIndent(in, "", "  "); err != nil {
					t.Fatal(err)
				}
			}
			golden(t, filepath.Join("inbound", filepath.Base(file)+".golden"), append(got, '\n'))
		})
	}
}

// What the house says becomes these requests and this passive reply.
func TestEncode_Golden(t *testing.T) {
	t.Parallel()
	options := []chat.Option{{ID: "repay.early", Label: "提前还款 <A&B>"}, {ID: "bad&id", Label: "其他?"}}
	for name, out := range map[string]struct {
		text    string
		options []chat.Option
	}{
		"text":       {`你好 <a href="x">&` + "\U0001F600" + `</a>`, nil},
		"dirty":      {"a\x00\xffb\x1bc]]>", nil},
		"menu":       {"您想问的是？", options},
		"menu_alone": {"", options},
		"menu_long":  {strings.Repeat("x", 2048), options},
		"empty":      {"", nil},
		"too_long":   {strings.Repeat("x", 2049), nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got bytes.Buffer
			bodies, err := wechat.Requests(outbound(out.text, out.options...))
			for _, b := range bodies {
				got.WriteString("custom/send " + b + "\n")
			}
			if err != nil {
				got.WriteString("custom/send refused: " + err.Error() + "\n")
			}
			content, err := wechat.RenderInline([]chat.Message{{Text: out.text, Options: out.options}, {Text: "第二条"}})
			if err != nil {
				got.WriteString("passive refused: " + err.Error() + "\n")
			} else {
				b, err := wechat.TextReply(wechat.FormatXML, "oUSER", "gh_1", 1460541339, content)
				if err != nil {
					t.Fatal(err)
				}
				got.WriteString("passive " + string(b) + "\n")
			}
			golden(t, filepath.Join("outbound", name+".golden"), got.Bytes())
		})
	}
}
