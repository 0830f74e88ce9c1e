using Microsoft.Extensions.Logging;

namespace BlockRepl.Daemon;

/// <summary>The daemon's own log lines; those of the resources come from the engine.</summary>
internal static partial class Log
{
    [LoggerMessage(
        1, LogLevel.Information,
        "blockrepld {Version} on node {Node}: configuration {Config}, run directory {RunDirectory}")]
    public static partial void Starting(
        ILogger logger, string version, string node, string config, string runDirectory);

    [LoggerMessage(2, LogLevel.Information, "Ready; up: {Resources}. Bring resources up with: blockrepl up all")]
    public static partial void Ready(ILogger logger, string resources);

    [LoggerMessage(3, LogLevel.Information, "Stopping: clients are ended, then every resource is taken down")]
    public static partial void Stopping(ILogger logger);

    [LoggerMessage(4, LogLevel.Information, "Stopped")]
    public static partial void Stopped(ILogger logger);

    [LoggerMessage(5, LogLevel.Warning, "{Remark}")]
    public static partial void ConfigurationRemark(ILogger logger, string remark);

    [LoggerMessage(6, LogLevel.Warning, "{What} was refused ({Error}): {Consequence}")]
    public static partial void ProtectionRefused(ILogger logger, string what, string error, string consequence);

    [LoggerMessage(7, LogLevel.Information, "{Command} {Target}: done")]
    public static partial void CommandDone(ILogger logger, string command, string target);

    [LoggerMessage(8, LogLevel.Warning, "{Command} {Target}: exit code {ExitCode}: {Reason}")]
    public static partial void CommandRefused(
        ILogger logger, string command, string target, int exitCode, string reason);

    [LoggerMessage(9, LogLevel.Error, "{Command} {Target} failed in a way that was not foreseen")]
    public static partial void CommandFailed(ILogger logger, Exception error, string command, string target);

    [LoggerMessage(10, LogLevel.Warning, "A client of the control socket was cut off: {Reason}")]
    public static partial void ControlClientRefused(ILogger logger, string reason);

    [LoggerMessage(
        11, LogLevel.Warning,
        "{Resource} could not be taken down ({Code}): {Reason}; it is stopped as in a crash, which attach repairs")]
    public static partial void DownRefused(ILogger logger, string resource, int code, string reason);

    [LoggerMessage(12, LogLevel.Information, "{Resource}: handler {Handler} starts: {CommandLine}")]
    public static partial void HandlerStarts(ILogger logger, string resource, string handler, string commandLine);

    [LoggerMessage(13, LogLevel.Information, "{Resource}: handler {Handler} ended with exit code {ExitCode}")]
    public static partial void HandlerEnded(ILogger logger, string resource, string handler, int exitCode);

    [LoggerMessage(14, LogLevel.Error, "{Resource}: handler {Handler}: {Reason}")]
    public static partial void HandlerFailed(ILogger logger, string resource, string handler, string reason);

    [LoggerMessage(15, LogLevel.Warning, "systemd was not told '{Message}': {Reason}")]
    public static partial void NotifyFailed(ILogger logger, string message, string reason);

    [LoggerMessage(16, LogLevel.Critical, "The control socket ended; the daemon stops")]
    public static partial void ControlServerFailed(ILogger logger, Exception error);

    [LoggerMessage(17, LogLevel.Information, "Volumes get devices through {FrontEnd}")]
    public static partial void FrontEndChosen(ILogger logger, string frontEnd);

    [LoggerMessage(
        18, LogLevel.Information,
        "Volumes get no devices to mount ({Reason}); NBD clients reach them through the socket in the run directory")]
    public static partial void NoDevices(ILogger logger, string reason);

    [LoggerMessage(19, LogLevel.Information, "{Device} is there ({Node}): {Volume}")]
    public static partial void DeviceShown(ILogger logger, string device, string node, string volume);

    [LoggerMessage(20, LogLevel.Information, "{Device} is gone")]
    public static partial void DeviceGone(ILogger logger, string device);

    [LoggerMessage(22, LogLevel.Information, "{Resource}: goes on as {Role} where the daemon before stopped")]
    public static partial void Resumed(ILogger logger, string resource, string role);

    [LoggerMessage(
        23, LogLevel.Error, "{Resource}: cannot go on where the daemon before stopped: {Reason}. What uses its device "
        + "waits; once the reason is mended: blockrepl up, blockrepl primary")]
    public static partial void ResumeFailed(ILogger logger, string resource, string reason);

    [LoggerMessage(24, LogLevel.Warning, "hand-over: I/O was still under way after {Milliseconds} ms")]
    public static partial void HandOverUnfinished(ILogger logger, double milliseconds);

    [LoggerMessage(
        25, LogLevel.Error,
        "hand-over: {Reason}. The next daemon brings back what has its device in use, not the rest")]
    public static partial void HandOverIncomplete(ILogger logger, string reason);

    [LoggerMessage(
        26, LogLevel.Warning, "{Resource}: left as it is for the next daemon, because it is in use: {Reason}")]
    public static partial void DeviceLeft(ILogger logger, string resource, string reason);

    [LoggerMessage(21, LogLevel.Error, "{Device} cannot be made or changed: {Reason}")]
    public static partial void DeviceFailed(ILogger logger, string device, string reason);
}
