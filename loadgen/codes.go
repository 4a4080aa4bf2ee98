package loadgen

// Codes are those of all warnings that this package gives, each once. Every other package that gives warnings of a
// level or an experiment has such a list too, so that a program can tell a code that there is from one that is
// misspelt.
func Codes() []string {
	return []string{
		WarnArrivalsUnsure, WarnBunched, WarnBursty, WarnCensored, WarnChunksTogether, WarnClientBound, WarnClockOffset,
		WarnClockStep, WarnConcurrencyNotReached, WarnCutShort, WarnDelayed, WarnFailedRequests,
		WarnFewDescriptors, WarnLateEnd, WarnMergedWindow, WarnMultiTokenChunks, WarnNoContent,
		WarnNoFinishReason, WarnNoSteadyWindow, WarnObserverPanic, WarnObserverStuck, WarnOverloaded,
		WarnPromptCapped, WarnRampDominated, WarnRateNotReached, WarnRetried, WarnSessionsBroken, WarnSeveralChoices,
		WarnShortWindow,
		WarnTPOTEstimated, WarnTooLong,
		WarnTokenMismatch, WarnTokensUnknown, WarnTokensUnmatched, WarnUsageContradicted,
	}
}
