namespace BlockRepl.Administration;

/// <summary>Exit codes of the commands: those of drbdadm, so that scripts need not change.</summary>
public static class ExitCodes
{
    public const int Success = 0;

    /// <summary>Unknown command or resource, nothing for this host, cancelled; or a step of 'up' failed.</summary>
    public const int Usage = 1;

    /// <summary>Waiting timed out; or the disk is worse than outdated already.</summary>
    public const int TimedOut = 5;

    /// <summary>The configuration is invalid, or a refusal with a number of 102 or more.</summary>
    public const int Refused = 10;

    /// <summary>A state change was refused.</summary>
    public const int StateChangeRefused = 11;

    public const int NoLocalDisk = 16;
    public const int NoUpToDateData = 17;

    /// <summary>
    /// Could not be carried out at all: no daemon, device in use, I/O error. Higher codes end a run over several
    /// resources.
    /// </summary>
    public const int CannotExecute = 20;

    /// <summary>create-md would destroy what is on the disk.</summary>
    public const int CreateRefused = 40;

    /// <summary>The exit code for a command's result code (SS_* or ERR_*).</summary>
    public static int FromResult(int code) => code switch
    {
        >= 1 and <= 101 => Success,
        >= 102 => Refused,
        -2 => NoUpToDateData,
        -4 => NoLocalDisk,
        -16 => TimedOut,
        _ => StateChangeRefused,
    };

    /// <summary>How a refusal is printed: <c>OBJECT: Failure: (119) WORDS</c>.</summary>
    public static string Describe(string target, int code, string message)
    {
        string number = $"({code})";
        string given = message.StartsWith(number, StringComparison.Ordinal)
            ? message[number.Length..].TrimStart()
            : message;
        string words = given.Length > 0 ? given : code < 0 ? StateChangeWords(code) : "the request was refused.";
        return code >= 102
            ? $"{target}: Failure: {number} {words}"
            : $"{target}: State change failed: {number} {words}";
    }

    private static string StateChangeWords(int code) => code switch
    {
        -1 => "the peer is Primary, and the configuration does not allow two; make it Secondary first.",
        -2 => "no UpToDate data within reach; connect the peer, or use --force to declare the local data good.",
        -4 => "a resync needs a local disk; attach it first.",
        -5 => "a resync needs the peer's disk; attach it there first.",
        -6 => "data cannot become outdated while connected; disconnect first.",
        -7 => "the peer is not known to be outdated; it has to be fenced first.",
        -8 => "a resync or verify is running already; wait for its end.",
        -9 => "it is StandAlone already.",
        -10 => "the peer refused.",
        -11 => "there is no disk; attach it first.",
        -12 => "the device is open; unmount it and end its clients first.",
        -13 => "there is no network configuration; connect first.",
        -14 => "there is no verify-alg; set one in net { }.",
        -15 => "it is not connected; connect first.",
        -16 => "the disk is worse than outdated already.",
        -17 => "the peer's version does not support this.",
        -18 => "a state change is under way; try again.",
        -19 => "both nodes asked for a change at the same time; try again.",
        -20 => "another volume is Primary on the peer.",
        -21 => "the peer can be outdated only while connected.",
        _ => "the state change was refused.",
    };
}
