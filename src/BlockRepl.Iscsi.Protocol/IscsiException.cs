namespace BlockRepl.Iscsi.Protocol;

/// <summary>What kind of trouble it is; the exception's message names the thing and says what to do.</summary>
public enum IscsiError
{
    /// <summary>The address iscsi://... is not well formed.</summary>
    BadAddress,

    /// <summary>A file of open-iscsi or a variable of the environment is of no use.</summary>
    BadConfiguration,

    /// <summary>No TCP connection to the portal.</summary>
    Unreachable,

    /// <summary>The connection ended, or the target asked to end it.</summary>
    ConnectionLost,

    /// <summary>The deadline passed before an answer came.</summary>
    TimedOut,

    /// <summary>The target sent what RFC 7143 does not allow; the connection was dropped.</summary>
    ProtocolViolation,

    /// <summary>One side did not accept the other's proof of identity.</summary>
    AuthenticationFailed,

    /// <summary>The portal knows no target of this name.</summary>
    TargetNotFound,

    /// <summary>The target refused the login for another reason.</summary>
    LoginRefused,

    /// <summary>The target has no logical unit of this number.</summary>
    LunNotFound,

    /// <summary>The logical unit is not a disk with usable sectors.</summary>
    NotADisk,

    /// <summary>The disk cannot be written.</summary>
    WriteProtected,

    /// <summary>Another initiator holds a reservation.</summary>
    ReservationConflict,

    /// <summary>The disk became smaller or has other sectors than before.</summary>
    CapacityChanged,

    /// <summary>The sectors are beyond the end of the disk.</summary>
    OutOfRange,

    /// <summary>The target was busy until the deadline.</summary>
    Busy,

    /// <summary>The disk is there and cannot be used now.</summary>
    NotReady,

    /// <summary>Any other SCSI error, medium errors above all.</summary>
    DeviceError,
}

/// <summary>An I/O or a login that failed. Never contains a secret.</summary>
public sealed class IscsiException : IOException
{
    public IscsiException(IscsiError error, string message, Exception? inner = null)
        : base(message, inner) => Error = error;

    public IscsiError Error { get; }

    internal static IscsiException Violation(string message) =>
        new(IscsiError.ProtocolViolation, "the target breaks the protocol: " + message);
}
