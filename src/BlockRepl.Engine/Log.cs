using Microsoft.Extensions.Logging;

namespace BlockRepl.Engine;

/// <summary>What the engine logs; event numbers 2000 to 2999.</summary>
internal static partial class Log
{
    [LoggerMessage(2001, LogLevel.Information, "{Resource}: runs on {Backend}, digests: {Digests}")]
    public static partial void Started(ILogger logger, string resource, string backend, string digests);

    [LoggerMessage(EventId = 2002, Message = "{Resource}: {Message}")]
    public static partial void Core(ILogger logger, LogLevel level, string resource, string message);

    [LoggerMessage(2003, LogLevel.Warning, "{Resource}: cannot listen on {Address}: {Reason}; will try again")]
    public static partial void ListenFailed(ILogger logger, string resource, string address, string reason);

    [LoggerMessage(2004, LogLevel.Warning, "{Resource}: refused a connection from {Remote}: {Reason}")]
    public static partial void StreamRefused(ILogger logger, string resource, string remote, string reason);

    [LoggerMessage(2005, LogLevel.Warning, "{Resource}: volume {Volume}: {Operation} failed with errno {Errno}")]
    public static partial void DiskError(ILogger logger, string resource, int volume, string operation, int errno);

    [LoggerMessage(2009, LogLevel.Warning, "{Resource}: {Count} more I/O errors in that second")]
    public static partial void DiskErrorsLeftOut(ILogger logger, string resource, int count);

    [LoggerMessage(2006, LogLevel.Error, "{Resource}: handler {Handler} could not be run: {Reason}")]
    public static partial void HandlerFailed(ILogger logger, string resource, string handler, string reason);

    [LoggerMessage(2007, LogLevel.Critical, "{Resource}: stopped by a defect: {Reason}\nThe last events:\n{Flight}")]
    public static partial void Fault(ILogger logger, string resource, string reason, string flight);

    [LoggerMessage(
        2010, LogLevel.Warning,
        "{Resource}: volume {Volume}: no record of writes under way, so a crash of this process will cost more resync: "
        + "{Reason}")]
    public static partial void NoRecord(ILogger logger, string resource, int volume, string reason);

    [LoggerMessage(2008, LogLevel.Error, "{Resource}: an observer of the status failed: {Reason}")]
    public static partial void ObserverFailed(ILogger logger, string resource, string reason);
}
