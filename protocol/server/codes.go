package server

// Codes are those of all warnings that this package gives, each once, as [loadgen.Codes] are.
func Codes() []string {
	return []string{
		WarnImageDiffers, WarnKilled, WarnLeftOver, WarnReplaced,
	}
}
