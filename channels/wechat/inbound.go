package wechat

import (
	"crypto/sha256"
	"encoding/hex"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/silenceper/wechat/v2/officialaccount/message"

	"wensheng/internal/chat"
)

// Bounds of what a callback may claim about itself.
const (
	maxOpenID     = 128              // bytes; the vendor's are 28
	maxProviderID = 64               // bytes; a longer MsgId is hashed
	maxKey        = 512              // bytes of an EventKey: a menu key, a scene, an address
	maxAhead      = 5 * time.Minute  // how far a CreateTime may lie in the future
	maxBehind     = 10 * time.Minute // and in the past: the vendor gives up after four deliveries
	locationEvery = 10 * time.Minute // one reported position in this time is kept
)

// Event names as they leave the package, in Inbound.Event.
const (
	EventSubscribe   = "subscribe"   // EventKey is the scene where he came by a QR code
	EventUnsubscribe = "unsubscribe" // silent
	EventScan        = "scan"        // silent; EventKey is the scene
	EventClick       = "click"       // EventKey is the menu's key
	EventView        = "view"        // silent; EventKey is the address
	EventLocation    = "location"    // silent, sampled; Media has the position
	EventUnsupported = "unsupported" // a message type we cannot read, as a KindLink without text; EventKey names it
)

// decoded is a callback as the house will see it.
type decoded struct {
	in chat.Inbound
	// skip says that it is acknowledged and nothing else: reports on our own sends.
	skip bool
	// opens is which window of free replies it opens; empty for none.
	opens Window
	// picURL is where an image may be fetched without a token.
	picURL string
}

// decode turns a verified payload into an Inbound. now is the arrival.
func decode(account chat.AccountID, appID string, p payload, now time.Time) (decoded, error) {
	from := string(p.FromUserName)
	if from == "" || len(from) > maxOpenID || p.ToUserName == "" || len(p.ToUserName) > maxOpenID || p.MsgType == "" {
		return decoded{}, errMalformed
	}
	d := decoded{in: chat.Inbound{
		From: chat.Address{Account: account, ID: clean(from)},
		At:   sentAt(string(p.CreateTime), now),
	}}
	if message.MsgType(p.MsgType) == message.MsgTypeEvent {
		d.event(appID, p)
		return d, nil
	}
	d.in.ProviderID = messageID(appID, p)
	d.opens = WindowMessage
	d.in.Text = clean(string(p.Content))
	switch message.MsgType(p.MsgType) {
	case message.MsgTypeText:
		d.in.Kind = chat.KindText
		if p.MenuID != "" {
			d.in.Kind, d.in.Pick = chat.KindPick, bounded(p.MenuID)
			d.opens = WindowClick // a click on a menu message counts as one on the menu
		}
	case message.MsgTypeImage:
		d.in.Kind = chat.KindImage
		d.media(p)
		d.picURL = string(p.PicURL)
	case message.MsgTypeVoice:
		d.in.Kind, d.in.Text = chat.KindVoice, clean(string(p.Recognition))
		d.media(p)
	case message.MsgTypeVideo, message.MsgTypeShortVideo:
		d.in.Kind = chat.KindVideo
		d.media(p)
	case message.MsgTypeLocation:
		d.in.Kind, d.in.Text = chat.KindLocation, clean(string(p.Label))
		d.in.Media = position(p.LocationX, p.LocationY)
	case message.MsgTypeLink:
		d.in.Kind = chat.KindLink
		d.in.Text = strings.TrimSpace(clean(string(p.Title)) + "\n" + clean(string(p.URL)))
	default: // file, mini-program card, what the vendor adds next
		// A link without words is what no reader can open: the bot says so.
		d.in.Kind, d.in.Event, d.in.EventKey = chat.KindLink, EventUnsupported, bounded(p.MsgType)
	}
	return d, nil
}

func (d *decoded) event(appID string, p payload) {
	d.in.Kind = chat.KindEvent
	d.in.EventKey = bounded(p.EventKey)
	d.in.ProviderID = eventID(appID, p.FromUserName, p.CreateTime, p.Event, p.EventKey)
	switch message.EventType(p.Event) {
	case message.EventSubscribe:
		d.in.Event = EventSubscribe
		d.in.EventKey = strings.TrimPrefix(d.in.EventKey, "qrscene_")
		d.opens = WindowSubscribe
	case message.EventClick:
		d.in.Event = EventClick
		d.opens = WindowClick
	case message.EventUnsubscribe:
		d.in.Event, d.in.Silent = EventUnsubscribe, true
	case message.EventScan:
		d.in.Event, d.in.Silent = EventScan, true
		d.opens = WindowScan
	case message.EventView:
		d.in.Event, d.in.Silent = EventView, true
	case message.EventLocation:
		d.in.Event, d.in.Silent = EventLocation, true
		d.in.Media = position(p.Latitude, p.Longitude)
		// One id for all positions of a stretch of time: replicas that do not
		// know of each other's samples still keep one.
		stretch := strconv.FormatInt(d.in.At.Unix()/int64(locationEvery/time.Second), 10)
		d.in.ProviderID = eventID(appID, p.FromUserName, text(stretch), p.Event, "")
	default: // TEMPLATESENDJOBFINISH and all other reports
		d.skip = true
	}
}

func (d *decoded) media(p payload) {
	d.in.Media = &chat.Media{VendorID: bounded(p.MediaID)}
}

// messageID is the vendor's MsgId as text, whatever its size; a message without
// one is known by what it says.
func messageID(appID string, p payload) string {
	id := p.MsgID
	if id == "" {
		id = p.MsgIDAlt
	}
	switch {
	case id == "":
		return eventID(appID, p.FromUserName, p.CreateTime, p.MsgType, p.Content+"|"+p.MediaID)
	case len(id) > maxProviderID || clean(string(id)) != string(id):
		return digest("m-", string(id))
	}
	return string(id)
}

// eventID names an event: events carry no MsgId. It is the vendor's rule
// (FromUserName and CreateTime) with what tells two events of one second apart,
// hashed because ids are kept in the clear and the openid is personal.
func eventID(appID string, from, at, event, key text) string {
	return digest("e-", strings.Join([]string{appID, string(from), string(at), string(event), string(key)}, "|"))
}

func digest(prefix, s string) string {
	h := sha256.Sum256([]byte(s))
	return prefix + hex.EncodeToString(h[:16])
}

// sentAt reads CreateTime, in seconds; a missing or senseless one is now, or
// the conversation would look idle.
func sentAt(s string, now time.Time) time.Time {
	sec, err := strconv.ParseInt(s, 10, 64)
	if err != nil || sec < now.Add(-maxBehind).Unix() || sec > now.Add(maxAhead).Unix() {
		return now
	}
	return time.Unix(sec, 0)
}

// position is nil unless both are degrees.
func position(lat, lng text) *chat.Media {
	x, errX := strconv.ParseFloat(string(lat), 64)
	y, errY := strconv.ParseFloat(string(lng), 64)
	if errX != nil || errY != nil || !(math.Abs(x) <= 90) || !(math.Abs(y) <= 180) { // NaN fails both
		return nil
	}
	return &chat.Media{Lat: x, Lng: y}
}

// bounded cuts a vendor's key to a size that is safe to keep.
func bounded(v text) string {
	s := clean(string(v))
	if len(s) > maxKey {
		s = strings.ToValidUTF8(s[:maxKey], "")
	}
	return s
}
