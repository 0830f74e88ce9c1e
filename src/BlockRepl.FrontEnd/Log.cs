using Microsoft.Extensions.Logging;

namespace BlockRepl.FrontEnd;

/// <summary>What the front ends log; event numbers 3000 to 3999.</summary>
internal static partial class Log
{
    [LoggerMessage(3001, LogLevel.Information, "nbd: listening on {Address}")]
    public static partial void Listening(ILogger logger, string address);

    [LoggerMessage(3002, LogLevel.Information, "nbd: a client opened {Export}")]
    public static partial void Opened(ILogger logger, string export);

    [LoggerMessage(3003, LogLevel.Information, "nbd: a client of {Export} is gone")]
    public static partial void Ended(ILogger logger, string export);

    [LoggerMessage(3004, LogLevel.Information, "nbd: negotiation ended: {Reason}")]
    public static partial void NegotiationEnded(ILogger logger, string reason);

    [LoggerMessage(3005, LogLevel.Warning, "nbd: connection to {Export} ended by this server: {Reason}")]
    public static partial void SessionBroken(ILogger logger, string export, string reason);

    [LoggerMessage(3006, LogLevel.Warning, "nbd: accepting on {Address} failed: {Reason}")]
    public static partial void AcceptFailed(ILogger logger, string address, string reason);

    [LoggerMessage(3101, LogLevel.Information, "{Path} is {Holder}: kept for the next daemon of {Identifier}")]
    public static partial void DeviceWaits(ILogger logger, string path, string holder, string identifier);

    [LoggerMessage(3102, LogLevel.Information, "{Path} of an earlier daemon goes on with {Volume}")]
    public static partial void DeviceTakenOver(ILogger logger, string path, string volume);

    [LoggerMessage(
        3103, LogLevel.Warning,
        "nbd: the connection of {Volume} could not be left to the next daemon, which makes another: {Reason}")]
    public static partial void ConnectionNotLeft(ILogger logger, string volume, string reason);

    [LoggerMessage(
        3104, LogLevel.Warning,
        "{Path}: the kernel has given up its connection (dmesg may say why); {Volume} has a new connection")]
    public static partial void ConnectionRepaired(ILogger logger, string path, string volume);

    [LoggerMessage(
        3020, LogLevel.Warning, "fuse: the mount of {Volume} was taken away by somebody else; its device is dead")]
    public static partial void FuseEnded(ILogger logger, string volume);

    [LoggerMessage(
        3021, LogLevel.Error, "fuse: a message of {Bytes} bytes for {Volume} is no request; its device is dead")]
    public static partial void FuseBroken(ILogger logger, string volume, int bytes);

    [LoggerMessage(
        3022, LogLevel.Error, "fuse: {Volume}: the kernel speaks version {Major}.{Minor} of FUSE, 7.28 is needed")]
    public static partial void FuseTooOld(ILogger logger, string volume, uint major, uint minor);

    [LoggerMessage(3023, LogLevel.Information, "fuse: {Device}, left by an earlier daemon, was removed")]
    public static partial void FuseLeftOver(ILogger logger, string device);

    [LoggerMessage(
        3024, LogLevel.Warning,
        "fuse: {Device}, left by an earlier daemon, is still open ({Holder}); it is dead, and goes when it is closed")]
    public static partial void FuseLeftOpen(ILogger logger, string device, string holder);

    [LoggerMessage(3025, LogLevel.Warning, "fuse: if this daemon dies the device of {Volume} dies with it: {Reason}")]
    public static partial void FuseNotKept(ILogger logger, string volume, string reason);

    [LoggerMessage(
        3030, LogLevel.Warning,
        "If this daemon dies, I/O of {Volume} may wait for the next one without limit: {Reason}")]
    public static partial void NotWatched(ILogger logger, string volume, string reason);

    [LoggerMessage(
        3031, LogLevel.Warning,
        "The process blockrepl-keeper of {StateDirectory}, which has the devices if this daemon dies, was killed; "
            + "another has taken its place")]
    public static partial void KeeperReplaced(ILogger logger, string stateDirectory);

    [LoggerMessage(
        3032, LogLevel.Error,
        "blockrepl-keeper was killed. Until a device is made again nothing has those there are: {Reason}")]
    public static partial void KeeperNotStarted(ILogger logger, string reason);
}
