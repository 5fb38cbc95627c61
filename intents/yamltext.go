package intents

import (
	"bytes"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// itemIndent stands before the dash of a Topic.
const itemIndent = "  "

// fileText writes a file of Topics. What all have in common of owner and
// review stands above them.
func fileText(category string, topics []Topic) []byte {
	var b bytes.Buffer
	def := defaults{category: category}
	if len(topics) > 1 {
		def.owner, def.review = topics[0].Owner, topics[0].Review
	}
	for i := range topics {
		if topics[i].Owner != def.owner {
			def.owner = ""
		}
		if topics[i].Review != def.review {
			def.review = Review{}
		}
	}
	b.WriteString("category: " + scalar(category) + "\n")
	if def.owner != "" {
		b.WriteString("owner: " + scalar(def.owner) + "\n")
	}
	if def.review != (Review{}) {
		b.WriteString("review: " + reviewText(def.review) + "\n")
	}
	b.WriteString("topics:\n")
	for i := range topics {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(topicText(&topics[i], def))
	}
	return b.Bytes()
}

// topicText writes one Topic as an item of a file's list.
func topicText(t *Topic, def defaults) string {
	var b strings.Builder
	const in = itemIndent + "  "
	b.WriteString(itemIndent + "- id: " + t.ID + "\n")
	key := func(name, value string) {
		if value != "" {
			b.WriteString(in + name + ": " + value + "\n")
		}
	}
	one := func(name, value string) {
		if value != "" {
			key(name, scalar(value))
		}
	}
	one("title", t.Title)
	if t.Kind != KindAnswer {
		one("kind", t.Kind)
	}
	one("form", t.Form)
	if len(t.Phrasings) > 0 {
		b.WriteString(in + "phrasings:" + linesText(t.Phrasings, in) + "\n")
	}
	if t.Answer != "" {
		b.WriteString(in + "answer: " + blockText(t.Answer, in+"  ") + "\n")
	}
	if len(t.Answers) > 0 {
		b.WriteString(in + "answers:\n")
		for _, ch := range slices.Sorted(maps.Keys(t.Answers)) {
			text := scalar(t.Answers[ch])
			if strings.Contains(t.Answers[ch], "\n") {
				text = blockText(t.Answers[ch], in+"    ")
			}
			b.WriteString(in + "  " + scalar(ch) + ": " + text + "\n")
		}
	}
	key("follow_ups", flowText(t.FollowUps))
	one("group", t.Group)
	one("priority", t.Priority)
	key("sources", flowText(t.Sources))
	var dates []string
	if t.From != "" {
		dates = append(dates, "from: "+flowScalar(t.From))
	}
	if t.Until != "" {
		dates = append(dates, "until: "+flowScalar(t.Until))
	}
	if len(dates) > 0 {
		key("effective", "{"+strings.Join(dates, ", ")+"}")
	}
	if t.Owner != def.owner {
		one("owner", t.Owner)
	}
	if t.Review != def.review {
		key("review", reviewText(t.Review))
	}
	return b.String()
}

func reviewText(r Review) string {
	var parts []string
	for _, p := range [][2]string{{"state", r.State}, {"by", r.By}, {"on", r.On}} {
		if p[1] != "" {
			parts = append(parts, p[0]+": "+flowScalar(p[1]))
		}
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

func flowText(list []string) string {
	if len(list) == 0 {
		return ""
	}
	parts := make([]string, len(list))
	for i, s := range list {
		if parts[i] = strconv.Quote(s); idPattern.MatchString(s) {
			parts[i] = flowScalar(s)
		}
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

// linesText is a list with one entry a line: a block, or quoted items where an
// entry cannot stand in a block.
func linesText(list []string, in string) string {
	var block, items strings.Builder
	fits := true
	block.WriteString(" |")
	for _, s := range list {
		fits = fits && !strings.Contains(s, "\n") && plainText(s)
		block.WriteString("\n" + in + "  " + s)
		items.WriteString("\n" + in + "  - " + strconv.Quote(s))
	}
	if fits {
		return block.String()
	}
	return items.String()
}

// blockText is a text of several lines.
func blockText(s, in string) string {
	if !plainText(s) {
		return strconv.Quote(s)
	}
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		if line != "" {
			lines[i] = in + line
		}
	}
	return "|\n" + strings.Join(lines, "\n")
}

// plainText reports whether every character may stand in YAML as it is.
func plainText(s string) bool {
	for _, c := range s {
		// Joiners and variation selectors belong to emoji.
		if !unicode.IsPrint(c) && c != '\n' && c != '\t' && c != '\u200d' && c != '\ufe0f' && c != '\u3000' {
			return false
		}
	}
	return true
}

// scalar is a text on one line: bare where YAML reads it as the same text,
// quoted otherwise.
func scalar(s string) string {
	if !bare(s) {
		return strconv.Quote(s)
	}
	return s
}

// flowScalar is a scalar between brackets, where braces mean something.
func flowScalar(s string) string {
	if strings.ContainsAny(s, "{}") {
		return strconv.Quote(s)
	}
	return scalar(s)
}

func bare(s string) bool {
	first, _ := utf8.DecodeRuneInString(s)
	day := unicode.IsDigit(first) && len(s) == len(time.DateOnly) && strings.Count(s, "-") == 2
	if !unicode.IsLetter(first) && !day {
		return false
	}
	switch strings.ToLower(s) {
	case "null", "true", "false", "yes", "no", "on", "off", "y", "n":
		return false
	}
	if !plainText(s) || strings.ContainsAny(s, "\n\t\"'#,[]&*!|>%@`\\") || strings.HasSuffix(s, ":") || strings.Contains(s, ": ") {
		return false
	}
	// Braces only as placeholders inside of the text.
	return !strings.ContainsAny(placeholder.ReplaceAllString(s, ""), "{}")
}
