namespace BlockRepl.Iscsi.Protocol.Scsi;

/// <summary>What to do about a command that has ended.</summary>
internal enum ScsiAdvice
{
    Done,

    /// <summary>Send it again; something about the disk may have changed, so look at it again first.</summary>
    LookAgain,

    /// <summary>Send it again after a pause.</summary>
    RetryLater,

    /// <summary>The target does not know the command or a part of it.</summary>
    Unsupported,

    /// <summary>Give it up.</summary>
    Fail,
}

/// <summary>The judgement of status and sense data.</summary>
/// <param name="Error">What to report if it is not repeated.</param>
internal readonly record struct ScsiVerdict(ScsiAdvice Advice, IscsiError Error, string Words)
{
    public static ScsiVerdict Of(ScsiCommand command, in ScsiResult result)
    {
        (ScsiAdvice advice, IscsiError error, string words) = result.Status switch
        {
            0x00 or 0x04 or 0x10 => (ScsiAdvice.Done, default, "good"),
            0x02 => OfSense(result.Sense),
            0x08 => (ScsiAdvice.RetryLater, IscsiError.Busy, "the target is busy"),
            0x18 => (
                ScsiAdvice.Fail, IscsiError.ReservationConflict,
                "another initiator holds a reservation: release it there (a disk for SBD must have none)"),
            0x28 => (ScsiAdvice.RetryLater, IscsiError.Busy, "the target's queue is full"),
            0x40 => (ScsiAdvice.RetryLater, IscsiError.Busy, "the target aborted the command"),
            _ => (ScsiAdvice.Fail, IscsiError.DeviceError, $"SCSI status 0x{result.Status:x2}"),
        };
        return new ScsiVerdict(advice, error, $"{command.Name}: {words}");
    }

    private static (ScsiAdvice Advice, IscsiError Error, string Words) OfSense(in SenseData sense) => sense switch
    {
        { Key: SenseKey.None or SenseKey.RecoveredError } => (ScsiAdvice.Done, default, "good"),
        { Key: SenseKey.UnitAttention } =>
            (ScsiAdvice.LookAgain, IscsiError.NotReady, $"the disk reports {sense} again and again"),
        { Key: SenseKey.NotReady, Code: 0x0401 or 0x0400 } =>
            (ScsiAdvice.RetryLater, IscsiError.NotReady, $"the disk is not ready: {sense}"),
        { Key: SenseKey.NotReady } => (ScsiAdvice.Fail, IscsiError.NotReady, $"the disk is not ready: {sense}"),
        { Key: SenseKey.AbortedCommand } =>
            (ScsiAdvice.RetryLater, IscsiError.DeviceError, $"the disk gave the command up: {sense}"),
        { Key: SenseKey.DataProtect } => (
            ScsiAdvice.Fail, IscsiError.WriteProtected,
            $"the disk is write protected ({sense}): make the logical unit writable on the target"),
        { Key: SenseKey.IllegalRequest, Code: 0x2500 } => (
            ScsiAdvice.Fail, IscsiError.LunNotFound,
            "the target has no logical unit of this number: check the end of the address"),
        { Key: SenseKey.IllegalRequest, Code: 0x2000 or 0x2400 } =>
            (ScsiAdvice.Unsupported, IscsiError.DeviceError, sense.ToString()),
        { Key: SenseKey.IllegalRequest, Code: 0x2100 } =>
            (ScsiAdvice.Fail, IscsiError.OutOfRange, "the sectors are beyond the end of the disk"),
        _ => (ScsiAdvice.Fail, IscsiError.DeviceError, sense.ToString()),
    };
}
