using System.Text;
using BlockRepl.Fencing.CommandLine;
using BlockRepl.Fencing.Devices;
using BlockRepl.Fencing.Logging;
using BlockRepl.Sbd;

namespace BlockRepl.Fencing.Commands;

/// <summary>
/// The commands on the slot tables: create, dump, list, allocate. Each line of standard output is sbd's.
/// </summary>
internal sealed class SlotCommands(SbdOptions options, Terminal terminal, SystemLog log)
{
    public bool Create()
    {
        if (options.Devices.Count > 0)
        {
            foreach (var problem in options.Timeouts.Problems(options.IoSeconds))
            {
                terminal.Errors.WriteLine("Warning: " + problem);
            }
        }

        foreach (var name in options.Devices)
        {
            terminal.Line($"Initializing device {DeviceNames.Shown(name)}");
            using var device = SectorDevices.Open(name, options);
            if (device.SectorCount < SlotLayout.SectorCount)
            {
                throw new SbdException(
                    $"{device.Name}: has {device.SectorCount} sectors, {SlotLayout.SectorCount} are needed. "
                    + "Nothing was written.");
            }

            var header = new DeviceHeader(Guid.NewGuid(), device.SectorSize, options.Timeouts);
            var number = options.Devices.IndexOf(name) + 1;
            terminal.Line($"Creating version {DeviceHeader.Version}.{header.MinorVersion} header on device {number} "
                + $"(uuid: {header.Uuid})");
            terminal.Line($"Initializing {SlotLayout.SlotCount} slots on device {number}");
            var runner = RunnerFor(device);
            var table = new SlotTable(runner.Exchange);
            runner.Run(table.Create(header));
            if (table.Outcome != SlotOutcome.Done)
            {
                throw new SbdException(Outcomes.Describe(table, device));
            }

            terminal.Line($"Device {DeviceNames.Shown(name)} is initialized.");
        }

        terminal.Line("Did you check sbd service down on all nodes before? "
            + "If not do so now and restart afterwards.");
        return true;
    }

    public bool Dump()
    {
        var good = true;
        foreach (var name in options.Devices)
        {
            terminal.Line($"==Dumping header on disk {DeviceNames.Shown(name)}");
            var header = Use(name, $"==Header on disk {DeviceNames.Shown(name)} NOT dumped", (_, _) => { });
            if (header is null)
            {
                good = false;
                continue;
            }

            terminal.Line($"Header version     : {DeviceHeader.Version}.{header.MinorVersion}");
            if (header.MinorVersion > 0)
            {
                terminal.Line($"UUID               : {header.Uuid}");
            }

            terminal.Line($"Number of slots    : {header.SlotCount}");
            terminal.Line($"Sector size        : {header.SectorSize}");
            terminal.Line($"Timeout (watchdog) : {header.Timeouts.Watchdog}");
            terminal.Line($"Timeout (allocate) : {header.Timeouts.Allocate}");
            terminal.Line($"Timeout (loop)     : {header.Timeouts.Loop}");
            terminal.Line($"Timeout (msgwait)  : {header.Timeouts.MessageWait}");
            terminal.Line($"==Header on disk {DeviceNames.Shown(name)} is dumped");
        }

        return good;
    }

    public bool List()
    {
        var good = true;
        foreach (var name in options.Devices)
        {
            var failure = $"== Slots on disk {DeviceNames.Shown(name)} NOT dumped";
            good &= Use(name, failure, (runner, table) => runner.Run(table.List())) is not null;
        }

        return good;
    }

    public bool Allocate()
    {
        foreach (var name in options.Devices)
        {
            if (options.Arguments.Count == 0 || options.Arguments[0].Length == 0)
            {
                throw new SbdException("allocate needs the name of a node");
            }

            var node = options.Arguments[0];
            terminal.Line($"Trying to allocate slot for {node} on device {DeviceNames.Shown(name)}.");
            if (Use(name, "", (runner, table) => runner.Run(table.Allocate(NodeName.FromText(node)))) is null)
            {
                return false;
            }

            terminal.Line($"Slot for {node} has been allocated on {DeviceNames.Shown(name)}.");
        }

        return true;
    }

    private ProcedureRunner RunnerFor(ISectorDevice device) => new(device, options.IoTimeout, terminal.Wait);

    /// <summary>Opens a device, reads its header and does something with it.</summary>
    /// <param name="failure">A line of standard error that scripts look for when it fails.</param>
    /// <returns>The header, null if something failed.</returns>
    private DeviceHeader? Use(string name, string failure, Action<ProcedureRunner, SlotTable> action)
    {
        ISectorDevice device;
        try
        {
            device = SectorDevices.Open(name, options);
        }
        catch (SbdException refusal)
        {
            log.Error(refusal.Message);
            terminal.Errors.WriteLine($"== disk {DeviceNames.Shown(name)} unreadable!");
            terminal.Errors.WriteLine(failure);
            return null;
        }

        using (device)
        {
            var runner = RunnerFor(device);
            var table = new SlotTable(runner.Exchange)
            {
                Taking = slot => terminal.Line($"slot {slot} is unused - trying to own"),
                Listed = PrintSlot,
            };
            runner.Run(table.ReadHeader());
            if (table.Outcome == SlotOutcome.Done)
            {
                action(runner, table);
            }

            if (table.Outcome == SlotOutcome.Done)
            {
                return table.Header;
            }

            log.Error(Outcomes.Describe(table, device));
            terminal.Errors.WriteLine(failure);
            return null;
        }
    }

    private void PrintSlot(int slot, NodeSlot owner, Mailbox mailbox)
    {
        var line = new MemoryStream();
        line.Write(Encoding.ASCII.GetBytes($"{slot}\t"));
        WriteName(line, owner.Name);
        line.Write(Encoding.ASCII.GetBytes($"\t{mailbox.Message.Word()}\t"));
        WriteName(line, mailbox.Sender);
        line.WriteByte((byte)'\n');
        terminal.Bytes(line.ToArray());
    }

    /// <summary>Byte by byte as it stands, but what would end the column or the line.</summary>
    private static void WriteName(MemoryStream line, NodeName name)
    {
        foreach (var value in name.Bytes)
        {
            line.WriteByte(value < (byte)' ' ? (byte)'?' : value);
        }
    }
}
