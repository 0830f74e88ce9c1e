using System.Globalization;
using BlockRepl.Sbd;

namespace BlockRepl.Fencing.CommandLine;

/// <summary>Reads the command line, then what the variables add. The command line wins.</summary>
internal sealed class SbdOptionsReader
{
    private const string Letters = "d:hn:RWw:TS:s:p:v1:2:3:4:5:C:I:t:F:PczZr:D";

    private readonly SbdOptions _options = new();
    private readonly SettingsFile _settings;
    private int _watchdogCount;
    private int _pacemakerCount;
    private int _clusterCount;
    private string? _timeoutAction;
    private uint? _watchdogTimeout;
    private bool? _startClean;

    private SbdOptionsReader(SettingsFile settings) => _settings = settings;

    /// <exception cref="UsageException">The usage is to be printed.</exception>
    /// <exception cref="SbdException">Words that cannot be used.</exception>
    public static SbdOptions Read(IReadOnlyList<string> arguments, SettingsFile settings, bool wordsEndOptions)
    {
        var reader = new SbdOptionsReader(settings);
        foreach (var item in GetOpt.Cut(arguments, Letters, wordsEndOptions))
        {
            reader.Take(item);
            if (reader._options.Help)
            {
                return reader._options;
            }
        }

        reader.AddSettings();
        return reader._options;
    }

    private void Take(GetOpt.Item item)
    {
        if (item.Letter != '\0' && Letters.Contains($"{item.Letter}:", StringComparison.Ordinal)
            && item.Value.Length == 0)
        {
            throw InvalidValue(item);
        }

        switch (item.Letter)
        {
            case '\0' when _options.Command is null: _options.Command = item.Value; break;
            case '\0': _options.Arguments.Add(item.Value); break;
            case 'd': AddDevice(item.Value, $"Invalid device: {item.Value}"); break;
            case 'h': _options.Help = true; break;
            case 'n': _options.NodeName = item.Value; break;
            case 'R': _options.RealTime = false; break;
            case 'w': _options.WatchdogDevice = item.Value; break;
            case 'T': _options.SetWatchdogTimeout = false; break;
            case 'p': _options.PidFile = item.Value; break;
            case 'v': _options.Verbosity++; break;
            case 'W': _watchdogCount++; break;
            case 'P': _pacemakerCount++; break;
            case 'c': _clusterCount++; break;
            case 'z': _options.NeedCluster = true; break;
            case 'Z': _options.Trace++; break;
            case 'r': _timeoutAction = item.Value; break;
            case 'D': break;
            default: TakeNumber(item); break;
        }
    }

    private void TakeNumber(GetOpt.Item item)
    {
        var blanks = item.Value.TakeWhile(char.IsWhiteSpace).Count();
        if (!uint.TryParse(
                item.Value.AsSpan(blanks), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number)
            || number >= int.MaxValue)
        {
            throw InvalidValue(item);
        }

        switch (item.Letter)
        {
            case '1': _watchdogTimeout = number; break;
            case '2': _options.Timeouts = _options.Timeouts with { Allocate = number }; break;
            case '3': _options.Timeouts = _options.Timeouts with { Loop = number }; break;
            case '4': _options.Timeouts = _options.Timeouts with { MessageWait = number }; break;
            case '5': _options.LatencyWarning = number; break;
            case 'C': _options.CrashDumpWatchdog = number; break;
            case 'I': _options.IoSeconds = number; break;
            case 'S': _startClean = number != 0; break;
            case 's': _options.StartSeconds = number; break;
            case 't': _options.RestartSeconds = number; break;
            default: _options.RestartCount = number; break;
        }
    }

    private void AddDevice(string device, string refusal)
    {
        if (!DeviceNames.IsUsable(device))
        {
            throw new SbdException(refusal);
        }

        if (_options.Devices.Contains(device, StringComparer.OrdinalIgnoreCase))
        {
            return;
        }

        if (_options.Devices.Count == SbdOptions.MaxDevices)
        {
            throw new SbdException("You can specify up to 3 devices via the -d option.");
        }

        _options.Devices.Add(device);
    }

    private void AddSettings()
    {
        AddDevices();
        AddWatchdog();
        AddStart();
        var pacemaker = _settings.Get("SBD_PACEMAKER") is not { } word || SettingsFile.IsTrue(word);
        _options.CheckPacemaker = _pacemakerCount == 0 ? pacemaker : _pacemakerCount % 2 == 1;
        _options.CheckCluster = _clusterCount == 0 ? pacemaker : _clusterCount % 2 == 1;
        _options.SyncResourceStartup =
            _settings.Get("SBD_SYNC_RESOURCE_STARTUP") is { } sync && SettingsFile.IsTrue(sync);
        _options.MoveToRootCgroup = _settings.Get("SBD_MOVE_TO_ROOT_CGROUP") is { } move && move != "auto"
            ? SettingsFile.IsTrue(move)
            : null;
        _options.PidFile ??= _settings.Get("SBD_PIDFILE");
        if (_options.NodeName.Length == 0)
        {
            _options.NodeName = HostName().ToLowerInvariant();
        }

        if (_options.Devices.Count > 0
            && System.Text.Encoding.UTF8.GetByteCount(_options.NodeName) > NodeName.MaxBytes)
        {
            throw new SbdException(
                $"The node name is longer than {NodeName.MaxBytes} bytes: give sbd a shorter one with -n.");
        }

        if (_options.Command is null)
        {
            throw new UsageException("Not enough arguments.");
        }

        if ((_timeoutAction ?? _settings.Get("SBD_TIMEOUT_ACTION")) is { } action)
        {
            _options.TimeoutAction = TimeoutAction.Parse(action);
        }
    }

    private void AddDevices()
    {
        if (_options.Devices.Count > 0 || _settings.Get("SBD_DEVICE") is not { } line)
        {
            return;
        }

        foreach (var device in line.Split(';', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            AddDevice(device, $"Invalid device line: {line}");
        }
    }

    private void AddWatchdog()
    {
        _options.WatchdogDevice ??= _settings.Get("SBD_WATCHDOG_DEV");
        var wanted = _settings.Get("SBD_WATCHDOG") is not { } word || SettingsFile.IsTrue(word);
        _options.UseWatchdog = _watchdogCount == 0 ? wanted : _watchdogCount % 2 == 1;
        if (_watchdogTimeout is null && _settings.Get("SBD_WATCHDOG_TIMEOUT") is { } text)
        {
            _watchdogTimeout = (uint?)Duration.ParseSeconds(text)
                ?? throw new SbdException($"SBD_WATCHDOG_TIMEOUT is no time: {text}");
        }

        _options.Timeouts = _options.Timeouts with { Watchdog = _watchdogTimeout ?? Timeouts.Default.Watchdog };
    }

    private void AddStart()
    {
        _options.StartClean = _startClean ?? _settings.Get("SBD_STARTMODE") == "clean";
        if (_settings.Get("SBD_DELAY_START") is not { } delay)
        {
            return;
        }

        // "1" is a yes and not a second, as it has always been.
        _options.DelayStart = SettingsFile.IsTrue(delay) ? null : Duration.ParseSeconds(delay) ?? 0;
    }

    /// <summary>With its domain if it has one: fence agents and the cluster know the node by the whole name.</summary>
    private static string HostName() => File.ReadAllText("/proc/sys/kernel/hostname").Trim();

    private static UsageException InvalidValue(GetOpt.Item item) =>
        new($"Invalid value \"{item.Value}\" for option -{item.Letter}");
}
