package web_test

import (
	"io"
	"log/slog"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"
)

func jsonLogger(w io.Writer) *slog.Logger {
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// TestOpenAPI_NamesEveryRoute holds the document and the router against each
// other, both ways.
func TestOpenAPI_NamesEveryRoute(t *testing.T) {
	t.Parallel()
	doc, err := openapi3.NewLoader().LoadFromFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.1") {
		t.Errorf("version is %s", doc.OpenAPI)
	}
	for _, s := range doc.Servers {
		if s.URL != "/" {
			t.Errorf("servers names a machine: %s", s.URL)
		}
	}
	var documented []string
	for p, item := range doc.Paths.Map() {
		for m := range item.Operations() {
			documented = append(documented, m+" "+p)
		}
	}
	param := regexp.MustCompile(`:(\w+)`)
	var registered []string
	for _, r := range newSite(t).server.Routes() {
		r = strings.Replace(r, "/*", "/{path}", 1)
		registered = append(registered, param.ReplaceAllString(r, "{$1}"))
	}
	slices.Sort(documented)
	slices.Sort(registered)
	registered = slices.Compact(registered)
	if diff := cmp.Diff(documented, registered); diff != "" {
		t.Errorf("openapi.yaml (-) and the router (+) differ:\n%s", diff)
	}
}

func TestOpenAPI_IsServed(t *testing.T) {
	t.Parallel()
	want, err := os.ReadFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	got := newSite(t).anon().do("GET", "/api/v1/openapi.yaml", nil).want(200)
	if diff := cmp.Diff(string(want), string(got.raw)); diff != "" {
		t.Error(diff)
	}
}
