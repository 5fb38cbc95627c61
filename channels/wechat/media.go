package wechat

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"wensheng/internal/chat"
)

// MediaStore keeps the files that contacts send.
type MediaStore interface {
	// Put keeps the file under f.Ref; a repeated Ref is the same file again.
	// It returns when the file is durable. r holds exactly f.Size bytes.
	Put(ctx context.Context, f MediaFile, r io.Reader) error
}

// MediaFile says what a fetched file is and whose.
type MediaFile struct {
	// Ref is the message's chat.Media.Ref, chosen before the file was fetched.
	Ref      string
	From     chat.Address
	Conv     chat.ConvID
	Message  chat.MessageID
	VendorID string
	// Type is the MIME type as sniffed.
	Type string
	// Size in bytes, at most 10 MB.
	Size int64
}

const (
	maxMedia     = 10 << 20
	mediaWorkers = 2
	mediaQueue   = 256
	mediaTimeout = 30 * time.Second
	mediaTries   = 3
	pathMedia    = "/cgi-bin/media/get"
)

var errNoFile = errors.New("wechat answered text instead of the file")

// mediaRef names a message's file before it is fetched, so that the message can
// be stored, and acknowledged, at once.
func mediaRef(id chat.AccountID, providerID string) string {
	return digest("wx-", string(id)+"|"+providerID)
}

// job is one file to fetch.
type job struct {
	account *account
	picURL  string
	file    MediaFile
}

// fetcher downloads what contacts send, after the acknowledgement and before
// the vendor forgets it (three days). What is queued when the process dies
// stays with the vendor.
type fetcher struct {
	c    *Channel
	jobs chan job

	mu      sync.Mutex
	pending int
	idle    chan struct{} // closed when pending is 0
}

func newFetcher(c *Channel) *fetcher {
	idle := make(chan struct{})
	close(idle)
	return &fetcher{c: c, jobs: make(chan job, mediaQueue), idle: idle}
}

// enqueue never blocks; a full queue drops the file with a warning.
func (f *fetcher) enqueue(j job) {
	f.mu.Lock()
	defer f.mu.Unlock()
	select {
	case f.jobs <- j:
		if f.pending++; f.pending == 1 {
			f.idle = make(chan struct{})
		}
	default:
		f.c.o.Logger.Warn("wechat media queue is full, file not fetched", "account", j.account.ID)
	}
}

func (f *fetcher) done() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.pending--; f.pending == 0 {
		close(f.idle)
	}
}

func (f *fetcher) run(ctx context.Context) error {
	var workers sync.WaitGroup
	for range mediaWorkers {
		workers.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return
				case j := <-f.jobs:
					f.fetch(ctx, j)
					f.done()
				}
			}
		})
	}
	workers.Wait()
	for {
		select {
		case <-f.jobs:
			f.done()
		default:
			return nil
		}
	}
}

func (f *fetcher) drain(ctx context.Context) error {
	f.mu.Lock()
	idle := f.idle
	f.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// fetch gets one file and keeps it, or logs why not.
func (f *fetcher) fetch(ctx context.Context, j job) {
	ctx, cancel := context.WithTimeout(ctx, mediaTimeout)
	defer cancel()
	c := f.c
	data, err := c.media(ctx, j)
	if err == nil {
		j.file.Type, j.file.Size = http.DetectContentType(data), int64(len(data))
		if bytes.HasPrefix(data, []byte("#!AMR")) { // the vendor's voice format, which the sniffer lacks
			j.file.Type = "audio/amr"
		}
		err = c.o.Media.Put(ctx, j.file, bytes.NewReader(data))
	}
	if err != nil {
		c.o.Logger.WarnContext(ctx, "wechat media not kept", "account", j.account.ID, "conv", j.file.Conv, "error", err)
	}
}

// media downloads the file: a picture by its address if that is the vendor's,
// everything else, and a picture that fails, by media/get.
func (c *Channel) media(ctx context.Context, j job) ([]byte, error) {
	if c.mediaHost(j.account, j.picURL) {
		if data, isText, err := c.download(ctx, j.picURL); err == nil && !isText {
			return data, nil
		}
	}
	if j.file.VendorID == "" {
		return nil, errors.New("no media id")
	}
	refused := ""
	for try := 1; ; try++ {
		token, err := c.token(ctx, j.account, refused)
		if err != nil {
			return nil, err
		}
		q := url.Values{"access_token": {token}, "media_id": {j.file.VendorID}}
		data, isText, err := c.download(ctx, j.account.APIBase+pathMedia+encoded(q))
		if err != nil {
			return nil, err
		}
		if !isText {
			return data, nil
		}
		// An error comes with status 200 too; so does a video's real address.
		var answer struct {
			status

			VideoURL string `json:"video_url"`
		}
		if err := json.Unmarshal(data, &answer); err != nil {
			return nil, errNoFile
		}
		var api *apiError
		switch err := answer.err(); {
		case err == nil && c.mediaHost(j.account, answer.VideoURL):
			data, isText, err := c.download(ctx, answer.VideoURL)
			if err == nil && isText {
				err = errNoFile
			}
			return data, err
		case err == nil:
			return nil, errors.New("wechat names no file of its own")
		case errors.As(err, &api) && api.tokenRefused() && refused == "":
			refused = token
		case errors.As(err, &api) && api.code == -1 && try < mediaTries:
		default:
			return nil, err
		}
	}
}

// mediaHost reports whether a file may be fetched from there. An address in a
// callback is only as trustworthy as a plain account's signature, so it must
// not lead into our own network.
func (c *Channel) mediaHost(a *account, address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil {
		return false
	}
	if u.Host == a.apiHost {
		return true
	}
	for _, domain := range c.o.MediaHosts {
		if host := strings.ToLower(u.Hostname()); u.Port() == "" && (host == domain || strings.HasSuffix(host, "."+domain)) {
			return true
		}
	}
	return false
}

// download reads a file of at most maxMedia bytes. isText says that the answer
// is text or JSON, which no contact's file is.
func (c *Channel) download(ctx context.Context, address string) (data []byte, isText bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return nil, false, errors.New("the address cannot be read")
	}
	res, _, err := c.do(req)
	if err != nil {
		return nil, false, err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return nil, false, fmt.Errorf("the file is answered with HTTP %d", res.StatusCode)
	}
	data, err = io.ReadAll(io.LimitReader(res.Body, maxMedia+1))
	if err != nil {
		return nil, false, scrub(err)
	}
	if len(data) > maxMedia {
		return nil, false, fmt.Errorf("the file is larger than %d MB", maxMedia>>20)
	}
	ct := strings.ToLower(res.Header.Get("Content-Type"))
	isText = strings.HasPrefix(ct, "text/") || strings.Contains(ct, "json") || bytes.HasPrefix(bytes.TrimSpace(data), []byte("{"))
	return data, isText, nil
}
