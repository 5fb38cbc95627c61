package nlp

import (
	"bufio"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"

	"github.com/yanyiwu/gojieba"
)

// everyday holds how often ordinary Chinese uses words, as the general
// dictionary counts them. It is never written after it was read.
type everyday struct {
	counts map[string]int32 // of words with at least leastCount
	total  float64
}

// leastCount keeps the table small: rarer words are alike.
const leastCount = 30

// readEveryday reads the general dictionary: word, count and part of speech on
// each line. An empty path is the one of the machine that built the program.
func readEveryday(path string) (everyday, error) {
	if path == "" {
		path = gojieba.DICT_PATH
	}
	e := everyday{counts: map[string]int32{}}
	f, err := os.Open(path)
	if err != nil {
		return e, fmt.Errorf("read the dictionary: %w", err)
	}
	defer func() { _ = f.Close() }()
	sc := bufio.NewScanner(f)
	for sc.Scan() {
		word, rest, _ := strings.Cut(sc.Text(), " ")
		count, _, _ := strings.Cut(rest, " ")
		n, err := strconv.ParseInt(count, 10, 32)
		if err != nil {
			continue // a line without a count says nothing here
		}
		e.total += float64(n)
		if n >= leastCount {
			e.counts[strings.Clone(word)] = int32(n)
		}
	}
	if err := sc.Err(); err != nil {
		return e, fmt.Errorf("read the dictionary: %w", err)
	}
	return e, nil
}

// rareCount stands for the count of every word that is not in the table.
const rareCount = 3

// share is the logarithm of a word's share of all words.
func (e *everyday) share(word string) float64 {
	n := float64(e.counts[word])
	if n == 0 {
		n = rareCount
	}
	return math.Log((n + rareCount) / (e.total + 1))
}

// productSubject is what the name of a product counts for, about as much as a
// word that only this field uses. It is read over when texts are compared, so
// the examples cannot say it.
const productSubject = 9

// subject is how much more a text sounds like the examples than like anything
// else: the sum, over its words, of the logarithm of how much more often the
// examples use the word than everyday language does.
func (rk *ranker) subject(f *featureText, usual *everyday) float64 {
	sum := 0.0
	if f.product {
		sum = productSubject
	}
	for _, w := range f.tokens {
		if !strings.ContainsFunc(w, isWord) {
			continue
		}
		n := 0.5 // of a word no example has
		if id, ok := rk.v.id[kindWord+w]; ok {
			n += float64(rk.v.df[id])
		}
		sum += math.Log(n/(rk.v.words+1)) - usual.share(w)
	}
	return sum
}
