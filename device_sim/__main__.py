from device_sim.cli import main

raise SystemExit(main())
