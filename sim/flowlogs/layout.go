package flowlogs

import (
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"time"
)

// folder is where S3 keeps the records of a period (F4.22).
func (s *stream) folder(begin int64) string {
	t := time.Unix(begin, 0).UTC()
	parts := []string{"AWSLogs", s.log.Account, "vpcflowlogs", s.region, t.Format("2006"), t.Format("01"), t.Format("02")}
	names := []string{"", "aws-account-id", "aws-service", "aws-region", "year", "month", "day"}
	if s.log.Hours() {
		parts, names = append(parts, t.Format("15")), append(names, "hour")
	}
	if s.log.Hive() {
		for i, name := range names {
			if name != "" {
				parts[i] = name + "=" + parts[i]
			}
		}
	}
	return filepath.Join(parts...)
}

// name is that of the stream's nth file, with the records of a period (F4.23). The
// suffix of Parquet files is unpublished.
func (s *stream) name(begin int64, n int) string {
	stamp := time.Unix(begin, 0).UTC().Format("20060102T1504Z")
	hash := sha256.Sum256(fmt.Appendf(nil, "%s %s %d", s.log.ID, stamp, n))
	suffix := "log.gz"
	if s.log.Parquet() {
		suffix = "log.parquet"
	}
	return fmt.Sprintf("%s_vpcflowlogs_%s_%s_%s_%x.%s", s.log.Account, s.region, s.log.ID, stamp, hash[:4], suffix)
}
