package format

// Codes are those of all warnings about results of other tools, beside those of packages loadgen and protocol.
func Codes() []string {
	return []string{
		WarnInFlightUnknown, WarnInFlightContradicted, WarnFailuresUnknown, WarnTokensByClient, WarnRateContradicted,
		WarnRequestsCutOff, WarnBurst, WarnToolDefinitions, WarnShapeInferred, WarnDuplicate, WarnPassedOver,
	}
}
