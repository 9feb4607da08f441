package main

import "fmt"

// records reads the files of records as a plan would, and makes none.
func (e *examination) records(c *config) {
	for _, f := range []value[string]{c.policy.records.consent, c.policy.records.suppress} {
		if f.v == "" {
			continue
		}
		if !exists(c.path(f)) {
			e.note(f.key, checkWarn, "does not exist yet: nobody has agreed to anything, or objected; send makes it, empty", "write what is on file into it")
			continue
		}
		n, err := c.countRecords(f)
		if err != nil {
			e.note(f.key, checkFail, err.Error(), "correct the line, or compare the file with a backup; nothing is sent until then")
			continue
		}
		e.note(f.key, checkOK, fmt.Sprintf("%d records", n), "")
	}
}
