package auditfile

const childJob = "AUDITFILE_TEST_CHILD"

func runChild(string) int { return 0 }
