package audit

// Waiting counts the appends that wait for the committer.
func (l *Log) Waiting() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.queue)
}

// Closing says whether Close has begun.
func (l *Log) Closing() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closing
}
