package main

import (
	"crypto/sha256"
	"os"
)

// rawLog is the least that makes records of concurrent callers durable: what is
// waiting is hashed and written together, with one fsync.
type rawLog struct {
	file     *os.File
	requests chan rawRequest
	done     chan struct{}
}

type rawRequest struct {
	line  []byte
	reply chan error
}

func openRawLog(path string) (*rawLog, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	l := &rawLog{file: f, requests: make(chan rawRequest, 64), done: make(chan struct{})}
	go l.commit()
	return l, nil
}

func (l *rawLog) append(line []byte) error {
	reply := make(chan error, 1)
	l.requests <- rawRequest{line, reply}
	return <-reply
}

func (l *rawLog) commit() {
	defer close(l.done)
	var batch []rawRequest
	var lines []byte
	for first := range l.requests {
		batch, lines = append(batch[:0], first), append(lines[:0], first.line...)
		for more := true; more; {
			select {
			case r, ok := <-l.requests:
				if more = ok; ok {
					batch, lines = append(batch, r), append(lines, r.line...)
				}
			default:
				more = false
			}
		}
		for _, r := range batch {
			sha256.Sum256(r.line)
		}
		_, err := l.file.Write(lines)
		if err == nil {
			err = l.file.Sync()
		}
		for _, r := range batch {
			r.reply <- err
		}
	}
}

func (l *rawLog) close() error {
	close(l.requests)
	<-l.done
	return l.file.Close()
}
