package protocol

// Codes are those of all warnings that this package gives, each once, as [loadgen.Codes] are.
func Codes() []string {
	return []string{
		WarnAnswersDamaged, WarnAnswersDiffer, WarnArmsAsked, WarnAnswersNotCheckable, WarnAnswersWrong,
		WarnClientUnchecked, WarnCold, WarnConditions, WarnCutShortLeftOut, WarnEnergyUnknown, WarnFewPrompts,
		WarnFewSamples, WarnGivenUp, WarnIncomplete, WarnKVCacheDiffers, WarnLevelBudget, WarnLevelDrift,
		WarnLevelRetried,
		WarnLittleHeadroom, WarnNoEvidence, WarnNotNumbers, WarnNotPrepared, WarnOneCondition, WarnProbeGaps,
		WarnProxied, WarnRunDrift, WarnServerChanged, WarnServerDied, WarnServerRestarted, WarnSeveralStarts,
		WarnSharedMemory, WarnShortened, WarnSingleRun, WarnWithinServer,
	}
}
